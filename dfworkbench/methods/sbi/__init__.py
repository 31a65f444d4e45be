"""Self-blended images: fakes for training, made from genuine faces alone (Shiohara and Yamasaki, CVPR 2022)."""
