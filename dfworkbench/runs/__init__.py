"""Runs in `checkpoints/`: `run` reads, `writer` writes, `layout` names files; weights in `checkpoints`, imports in `released`."""
