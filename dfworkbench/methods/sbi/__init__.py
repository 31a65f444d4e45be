"""Self-blended images: training fakes made from genuine faces alone (Shiohara and Yamasaki, CVPR 2022)."""
