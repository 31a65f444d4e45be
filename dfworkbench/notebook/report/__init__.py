"""HTML report of trained runs: `page` writes it, `runs` collects the data, `tables` formats it."""
