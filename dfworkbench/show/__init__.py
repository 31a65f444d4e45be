"""What people look at: figures, cards, tables and annotated video."""
