"""From detectors to numbers that can be trusted: scoring files, aggregating scores, metrics with intervals."""
