"""Explanations: attribution maps of a detector's decisions, scores of these maps against masks, and identity-overlap measures."""
