"""One folder per paper: network, training, published weights, study and figures."""
