"""The parts of `benchmarks/growth.py`: each does one thing with work of any size."""
