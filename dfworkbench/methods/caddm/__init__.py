"""CADDM: implicit identity leakage (Dong et al., CVPR 2023)."""
