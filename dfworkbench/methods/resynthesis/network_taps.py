"""Feature maps of any of our detectors at decreasing resolutions, as a replacement for VGG-19's.

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376, compare features of
a VGG-19 trained on ImageNet. Here the features are those of a trained detector, which needs no download.

Stage k is the last map of the k-th resolution, as in feature pyramids (Lin et al., Feature Pyramid Networks for Object
Detection, CVPR 2017, arXiv:1612.03144). Modules are considered in the order in which they finish: a map whose side is less than
0.75 times that of earlier maps starts the next resolution; later, larger maps and maps of a single cell are skipped. A ResNet-18
has five: those after its first convolution, and after each of its four groups of blocks.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models import build_detector
from dfworkbench.models.modes import evaluating

#: A map whose side is a smaller fraction of that of earlier maps belongs to the next resolution.
_NEXT = 0.75


class _Place(NamedTuple):
    """Which map a stage is: the `call`-th output of a module."""

    module: str
    call: int
    side_px: int
    channels: int


class _ReachedError(Exception):
    """Raised when the last needed stage has been computed."""


class NetworkTaps(nn.Module):
    """The first stages of a detector; always frozen. Parts needed only by later stages are dropped, so they are not saved either.

    Args:
        name: Name of the detector, for `build_detector`.
        options: Its options; those that name weights are ignored, because weights come from a run.
        size_px: Side of the pictures.
        stages: Number of stages to keep; None for all.

    Attributes:
        channels: Channels of each stage.
        stages: Number of stages.
        is_trained: Whether a run's weights were loaded; saved with the weights.

    Raises:
        ParameterError: The detector takes clips, or has fewer stages for this picture size.
    """

    is_trained: Tensor

    def __init__(self, name: str, options: Mapping[str, Any] | None, size_px: int, stages: int | None = None) -> None:
        super().__init__()
        self.name = name
        self.options = options_without_weights(options or {})
        self.network: Any = build_detector(name, **self.options)
        self.register_buffer("is_trained", torch.zeros((), dtype=torch.bool))
        places = self._places(size_px)
        if not places or (stages or 0) > len(places):
            sides = ", ".join(f"{place.side_px} px" for place in places) or "none"
            raise ParameterError(
                f"taking stage {stages or 1} of {name} for a re-synthesis detector: pictures of {size_px} px have {len(places)} "
                f"stages in it, with maps of {sides}. Choose an earlier stage, larger pictures or another detector."
            )
        self._stages = places[:stages]
        self.channels = tuple(place.channels for place in self._stages)
        self.stages = len(self._stages)
        self._drop_unused(size_px)
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor, last: int | None = None) -> list[Tensor]:
        """Features of the stages 1 to `last`, finest first: `(B, C, h, w)` each.

        Args:
            images: `(B, 3, S, S)`, RGB in 0..1; normalised here as the detector requires.
            last: The last stage to compute; None for all.

        Raises:
            ParameterError: There is no such stage.
        """
        last = self.stages if last is None else last
        if last not in range(1, self.stages + 1):
            raise ParameterError(f"features of {self.name}: last = {last}, but stages 1 to {self.stages} were built.")
        wanted = {(place.module, place.call): number for number, place in enumerate(self._stages[:last])}
        found: dict[int, Tensor] = {}

        def note(module: str, call: int, output: Any) -> None:
            if (module, call) in wanted:
                found[wanted[module, call]] = output
            if len(found) == last:
                raise _ReachedError

        self._run(images, note)
        return [found[number] for number in range(last)]

    def train(self, mode: bool = True) -> "NetworkTaps":
        """Stay in eval mode, even inside a network in training mode."""
        return super().train(False)

    def load(self, network: nn.Module) -> None:
        """Load the weights of a trained detector with the same name and options."""
        own = self.network.state_dict()
        self.network.load_state_dict({key: value for key, value in network.state_dict().items() if key in own})
        self.is_trained.fill_(True)

    def _run(self, images: Tensor, note: Callable[[str, int, Any], None]) -> None:
        """One pass through the detector; `note` gets each module, the index of the call, and its output."""
        spec: InputSpec = self.network.input_spec
        look = partial(torch.tensor, dtype=images.dtype, device=images.device)
        low, high = spec.value_range
        shown = images.flip(1) if spec.channel_order == "bgr" else images
        shown = (shown * (high - low) + low - look(spec.mean).view(-1, 1, 1)) / look(spec.std).view(-1, 1, 1)
        calls: Counter[str] = Counter()
        with _any_size(self.network, images.shape[-1]), _followed(self.network, calls, note):
            try:
                self.network.features(shown)
            except _ReachedError:
                return

    def _places(self, size_px: int) -> list[_Place]:
        spec: InputSpec = self.network.input_spec
        if len(spec.sample_shape()) != 3:
            raise ParameterError(
                f"taking stages of {self.name} for a re-synthesis detector: it is fed clips {spec.sample_shape()}, expected a "
                "detector of single pictures. Choose one, such as resnet18."
            )
        places: list[_Place] = []

        def note(module: str, call: int, output: Any) -> None:
            if not isinstance(output, Tensor) or output.ndim != 4 or not 1 < output.shape[2] == output.shape[3]:
                return
            before = places[-1].side_px if places else size_px
            place = _Place(module, call, output.shape[3], output.shape[1])
            if place.side_px < _NEXT * before or (not places and place.side_px == size_px):
                places.append(place)
            elif places and place.side_px <= before:
                places[-1] = place

        try:
            with evaluating(self.network), torch.no_grad():
                self._run(self._probe(size_px), note)
        except RuntimeError as error:
            raise ParameterError(
                f"taking stages of {self.name} for a re-synthesis detector: it does not take pictures of {size_px} px ({error}). "
                "Choose a larger size_px or another detector."
            ) from None
        return places

    def _drop_unused(self, size_px: int) -> None:
        """Replace layers that run after the last stage, or never, so that their weights are not kept."""
        used: set[str] = set()
        end = self._stages[-1]

        def note(module: str, call: int, output: Any) -> None:
            parts = module.split(".")
            used.update(".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
            if (module, call) == (end.module, end.call):
                raise _ReachedError

        with evaluating(self.network), torch.no_grad():
            self._run(self._probe(size_px), note)
        for name, _ in list(self.network.named_modules()):
            if name and name not in used and name.rpartition(".")[0] in {"", *used}:
                self.network.set_submodule(name, nn.Identity())

    def _probe(self, size_px: int) -> Tensor:
        like = next(self.network.parameters())
        return torch.zeros(1, 3, size_px, size_px, dtype=like.dtype, device=like.device)


def options_without_weights(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that determine a detector's architecture, without those that name initial weights."""
    return {name: value for name, value in options.items() if not name.endswith("weights")}


@contextmanager
def _any_size(network: Any, side_px: int) -> Iterator[None]:
    """Allow any input size: convolutions do, although the detector refuses all but its own."""
    spec: InputSpec = network.input_spec
    network.input_spec = replace(spec, size_px=side_px)
    try:
        yield
    finally:
        network.input_spec = spec


@contextmanager
def _followed(network: nn.Module, calls: Counter[str], note: Callable[[str, int, Any], None]) -> Iterator[None]:
    """Call `note` for every module that finishes; passes in other threads are ignored."""
    mine = threading.get_ident()

    def hook(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if threading.get_ident() == mine:
            calls[name] += 1
            note(name, calls[name], output)

    hooks = [module.register_forward_hook(partial(hook, name)) for name, module in network.named_modules() if name]
    try:
        yield
    finally:
        for each in hooks:
            each.remove()
