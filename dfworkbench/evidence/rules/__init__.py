"""Rules of a case: refusals (R1 to R10), reservations (S1 to S11), and the wording of statements."""
