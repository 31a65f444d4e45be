"""Files of other people's code (pickles, torch zips, JSON), read without running anything and in bounded memory."""
