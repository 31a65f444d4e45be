"""Score tables of other programs: reading, writing and judging them."""
