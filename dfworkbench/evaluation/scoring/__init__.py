"""Score media files and data sets: faces to scores, tracks and verdicts."""
