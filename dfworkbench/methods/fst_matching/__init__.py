"""FST-Matching: what a detector learns about artefacts (Dong et al., ECCV 2022)."""
