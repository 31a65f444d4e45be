"""HTML page of a case, section by section, and the PDF made from it."""
