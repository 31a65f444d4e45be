"""Training methods: what is learned from a batch, and what only training needs. Importing this needs no torch."""

from dfworkbench.methods.registry import (
    METHODS,
    build_method,
    list_methods,
    load_method,
    method_options,
    own_method,
    register_method,
)
from dfworkbench.methods.step import Step

__all__ = [
    "METHODS",
    "Step",
    "build_method",
    "list_methods",
    "load_method",
    "method_options",
    "own_method",
    "register_method",
]
