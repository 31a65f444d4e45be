"""Score files of other programs: read, write and evaluate them."""
