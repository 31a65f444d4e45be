"""One package per paper: network, training, published weights, study and figures."""
