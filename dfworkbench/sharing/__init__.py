"""Runs for others: share and fetch them, write model cards, export histories to TensorBoard and MLflow."""
