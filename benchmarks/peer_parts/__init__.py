"""The parts of `benchmarks/peers.py`: each compares one thing that dfworkbench does with other programs that do it."""
