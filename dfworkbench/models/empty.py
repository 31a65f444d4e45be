"""Build networks without initialising their weights, for weights that are then read from a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

#: Methods that initialisers use to write values.
_FILLS = frozenset((
    "uniform_", "normal_", "log_normal_", "erfinv_", "random_", "zero_", "fill_", "copy_", "mul_", "div_", "add_", "sub_",
    "clamp_", "clip_",
))  # fmt: skip


@contextmanager
def empty_weights() -> Iterator[None]:
    """Skip weight initialisation of networks built in this block; all parameters must be filled afterwards.

    Buffers are initialised, because those that are not saved (positions, windows) cannot come from a file. Parameter memory is
    reserved but not touched, so it costs nothing until filled. The networks are on the CPU, and other threads are not affected.
    """
    with _NoFills():
        yield


class _NoFills(TorchFunctionMode):
    """Skips functions that fill a parameter in place; all other calls go through."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        filled = args[0] if args else kwargs.get("tensor")  # functions of torch.nn.init pass it by name
        fills = getattr(func, "__name__", "") in _FILLS or getattr(func, "__module__", "") == "torch.nn.init"
        if fills and isinstance(filled, nn.Parameter):
            return filled
        return func(*args, **kwargs)
