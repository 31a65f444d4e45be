"""One HTML report of trained runs: `page` writes it, `runs` reads what it tells, `tables` puts it into rows."""
