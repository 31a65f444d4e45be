"""Runs in `checkpoints/`: read (`run`), write (`writer`), file names (`layout`), weights (`checkpoints`), import (`released`)."""
