"""From score tables to metrics, curves and intervals."""
