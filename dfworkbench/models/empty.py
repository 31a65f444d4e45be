"""Build networks without filling their weights with random numbers, for weights that a file gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

#: Methods that initialisers write values with.
_FILLS = frozenset((
    "uniform_", "normal_", "log_normal_", "erfinv_", "random_", "zero_", "fill_", "copy_", "mul_", "div_", "add_", "sub_",
    "clamp_", "clip_",
))  # fmt: skip


@contextmanager
def empty_weights() -> Iterator[None]:
    """Leave the parameters of networks that are built in this block without values; all must be given some afterwards.

    Buffers get their values: those that are not saved (positions, windows) cannot come from a file. Memory of parameters is
    reserved but not touched, so it costs nothing until they are filled. The networks are on the CPU, and other threads build as
    usual.
    """
    with _NoFills():
        yield


class _NoFills(TorchFunctionMode):
    """Passes over functions that fill a parameter in place; any other call goes through."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        filled = args[0] if args else kwargs.get("tensor")  # functions of torch.nn.init name it
        fills = getattr(func, "__name__", "") in _FILLS or getattr(func, "__module__", "") == "torch.nn.init"
        if fills and isinstance(filled, nn.Parameter):
            return filled
        return func(*args, **kwargs)
