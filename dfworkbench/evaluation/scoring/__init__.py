"""From files to scores, tracks and verdicts."""
