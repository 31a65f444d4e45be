"""Runs in `checkpoints/`: `run` reads, `writer` writes, `layout` names the files; weights in `checkpoints`, imports in `released`."""
