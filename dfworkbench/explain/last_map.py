"""Find the layer for Grad-CAM: the last spatial map of a network, found in one forward pass without per-detector tables.

Selvaraju et al.: Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization. ICCV 2017, arXiv:1610.02391,
use the last convolutional layer, the latest one with spatial information.

A map is `(N, C, h, w)` with more than one cell along each side. In the order in which modules finish, the last one is chosen

- that was made by a module with a convolution, or by one that keeps the size (activation, norm, dropout). Pooling alone makes a map
  coarser, or enlarges one that is a single cell: MesoNet4 does so for small pictures;
- through which all paths from the picture to the explained value pass. This excludes branches, and heads that do not affect the
  value, such as the anchors of CADDM;
- whose module is called only once, so that its name identifies the map.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, nn

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import require_name

#: A node of autograd's graph, and the index of its output.
Edge = tuple[Any, int]


class _Call(NamedTuple):
    name: str
    shape: tuple[int, ...]
    keeps_size: bool
    edge: Edge


def find_map(
    network: nn.Module, score: Callable[[Tensor], Tensor], images: Tensor, layer: str | None = None, doing: str = ""
) -> str:
    """Name of the module that produces the last map.

    Args:
        network: The network to search.
        score: Runs the network once and returns the value, `(1,)`.
        images: One prepared picture `(1, 3, S, S)` or clip `(1, T, 3, S, S)`, which requires a gradient.
        layer: A module to use instead, by its name in `named_modules`; it is checked.
        doing: The current action, for messages.

    Raises:
        UnknownNameError: There is no such module.
        InputError: There is no such map, or the named module produces none that Grad-CAM can use.
    """
    modules = {name: module for name, module in network.named_modules() if name}
    if layer is not None:
        require_name("layer", layer, modules)
    calls, value = _record(modules, score, images)
    if not _sees(_graph(value), images):
        raise InputError(
            f"{doing}: no gradient leads from the value to the picture, expected one. Explain a value that is computed from the "
            "picture by functions with a derivative, such as the logit."
        )
    if layer is not None:
        return _require_map(layer, calls, value, images, doing)
    names = [call.name for call in calls]
    for call in reversed(calls):
        fits = names.count(call.name) == 1 and _is_map(call, images)
        makes = call.keeps_size or any(isinstance(part, nn.Conv2d) for part in modules[call.name].modules())
        if fits and makes and not _sees(_graph(value, without=call.edge), images):
            return call.name
    raise InputError(
        f"{doing}: none of {len(modules)} modules makes a map (N, C, h, w) of convolutions through which all that the value "
        f"sees goes; Grad-CAM needs one. Name a module with layer=. Modules: {', '.join(modules) or 'none'}."
    )


def _record(
    modules: dict[str, nn.Module], score: Callable[[Tensor], Tensor], images: Tensor
) -> tuple[list[_Call], Tensor]:
    calls: list[_Call] = []

    def note(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            before = inputs[0].shape if inputs and isinstance(inputs[0], Tensor) else ()
            keeps = len(before) == output.ndim == 4 and before[2:] == output.shape[2:]
            # the node as it is now: later in-place changes of the tensor belong to other modules
            calls.append(_Call(name, tuple(output.shape), keeps, (output.grad_fn, output.output_nr)))

    hooks = [module.register_forward_hook(partial(note, name)) for name, module in modules.items()]
    try:
        return calls, score(images)
    finally:
        for hook in hooks:
            hook.remove()


def _require_map(layer: str, calls: list[_Call], value: Tensor, images: Tensor, doing: str) -> str:
    own = [call for call in calls if call.name == layer]
    graph = _graph(value)
    if len(own) != 1 or not _is_map(own[0], images) or own[0].edge not in graph:
        seen = f"it is called {len(own)} times" if len(own) != 1 else f"it gives {own[0].shape}"
        used = "" if not own or own[-1].edge in graph else ", which the value does not depend on"
        raise InputError(
            f"{doing}: of the layer {layer!r}, {seen}{used}; expected one map (N, C, h, w) with more than one cell along each "
            "side, N being 1 or the frames of the clip, that the value is computed from. Name another layer, or none to have "
            "it found."
        )
    return layer


def _is_map(call: _Call, images: Tensor) -> bool:
    frames = images.shape[1] if images.ndim == 5 else 1
    return len(call.shape) == 4 and call.shape[0] in (1, frames) and min(call.shape[2:]) > 1


def _graph(value: Tensor, without: Edge | None = None) -> set[Edge]:
    """All nodes that `value` was computed from, except those reached only through the edge `without`."""
    found: set[Edge] = set()
    stack: list[Edge] = [(value.grad_fn, value.output_nr)]
    while stack:
        edge = stack.pop()
        if edge[0] is not None and edge not in found and edge != without:
            found.add(edge)
            stack += edge[0].next_functions
    return found


def _sees(graph: set[Edge], images: Tensor) -> bool:
    return any(getattr(node, "variable", None) is images for node, _ in graph)
