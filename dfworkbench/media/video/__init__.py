"""Videos: read the frames that a player shows, and write videos."""
