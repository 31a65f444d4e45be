"""MesoNet (Afchar et al., WIFS 2018) and DeepfakeForensics-v1: their published weights."""
