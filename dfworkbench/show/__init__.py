"""Visual output: figures, cards, tables and annotated videos."""
