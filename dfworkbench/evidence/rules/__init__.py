"""When no statement is possible (R1 to R10), what is said beside one (S1 to S11), and in which words."""
