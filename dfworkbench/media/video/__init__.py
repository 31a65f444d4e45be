"""Videos: the frames that a player shows, and writing them."""
