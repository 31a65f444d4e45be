"""Published detectors: a card per release, its weights fetched and checked, scored like our own."""
