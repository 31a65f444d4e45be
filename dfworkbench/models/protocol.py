"""Check that a class is a valid detector (`models.prediction.Detector`) by building it and feeding it two random inputs."""

import inspect
import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models.inputs import prepare
from dfworkbench.models.prediction import Prediction
from dfworkbench.models.registry import builder_options


def check_detector(name: str, builder: type | Callable[..., Any]) -> None:
    """Build a detector with its default options and test it against the protocol.

    Checks: options are plain values with defaults; it is a module with parameters and an `input_spec`; `forward` returns a
    `Prediction` with finite logits `(B,)` that depend on the parameters; `features` are `(B, F)`; other sizes are refused; a second
    instance can load the weights of the first. The random state is not changed.

    Args:
        name: Name of the detector, for messages.
        builder: Its class, or a function that builds it.

    Raises:
        InputError: It violates the protocol; the message says what was seen and what was expected.
    """
    try:
        _check_options(builder)
        with torch.random.fork_rng(devices=[]):
            _check_network(name, builder(), builder())
    except _BrokenError as error:
        seen, expected = error.args
        raise InputError(
            f"registering the detector {name!r}: {seen}; expected {expected}. Correct it; docs/guides/add_a_detector.md has a "
            "template."
        ) from None


class _BrokenError(Exception):
    """What was seen, and what was expected."""


def _require(condition: bool, seen: str, expected: str) -> None:
    if not condition:
        raise _BrokenError(seen, expected)


def _check_options(builder: type | Callable[..., Any]) -> None:
    for option, default in builder_options(builder).items():
        given = default is not inspect.Parameter.empty
        _require(given, f"its option {option!r} has no default", "one for every option")
        try:
            json.dumps(default)
        except TypeError:
            seen = f"its option {option!r} has the default {default!r}"
            raise _BrokenError(seen, "a plain value: options are saved in checkpoints") from None


def _check_network(name: str, network: Any, again: Any) -> None:
    _require(isinstance(network, nn.Module), f"it builds a {type(network).__name__}", "a torch.nn.Module")
    spec = getattr(network, "input_spec", None)
    if not isinstance(spec, InputSpec):
        raise _BrokenError(f"its input_spec is {spec!r}", "an InputSpec, set in __init__")
    _require(any(True for _ in network.parameters()), "it has no parameters", "something that can be trained")
    network.eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, *spec.sample_shape()), dtype=torch.uint8, generator=generator)
    _check_output(network, prepare(images, spec, name))
    _check_refusal(network, images.float())
    try:
        again.load_state_dict(network.state_dict())
    except RuntimeError as error:
        seen = f"built twice, weights do not fit ({error})"
        raise _BrokenError(seen, "the same shapes for the same options") from None


def _check_output(network: Any, images: Tensor) -> None:
    found = network(images)
    _require(isinstance(found, Prediction), f"forward gives a {type(found).__name__}", "Prediction(logit, aux)")
    logit = found.logit
    shape = tuple(logit.shape)
    _require(shape == (len(images),), f"its logit has the shape {shape} for 2 samples", "(2,); logit.squeeze(1)?")
    finite = logit.is_floating_point() and bool(logit.isfinite().all())
    _require(finite, f"its logit is {logit.tolist()}", "finite numbers")
    _require(logit.requires_grad, "its logit does not depend on its parameters", "one that can be trained")
    described = callable(getattr(network, "features", None))
    _require(described, "it has no features(images)", "a method that gives (B, F)")
    shape = tuple(network.features(images).shape)
    _require(len(shape) == 2 and shape[0] == len(images), f"its features have the shape {shape}", "(2, F)")


def _check_refusal(network: Any, images: Tensor) -> None:
    try:
        network(images[..., :-1, :-1])
    except InputError:
        return
    except Exception as error:  # any other error would tell its user nothing
        seen = f"a smaller picture gives a {type(error).__name__}"
    else:
        seen = "it takes pictures of another size than its input_spec says"
    raise _BrokenError(seen, "an InputError; call self.input_spec.check(images.shape, name) first")
