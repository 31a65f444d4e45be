"""Training methods by name; nothing is imported before it is built."""

from typing import Any

from dfworkbench.core.errors import ParameterError
from dfworkbench.models.registry import (
    DETECTORS,
    HELPERS,
    check_options,
    class_options,
    detector_class,
    load_class,
    register,
)

#: Name -> "module:Class", alphabetical.
METHODS: dict[str, Any] = {
    "binary": "dfworkbench.training.binary:Binary",
    "caddm": "dfworkbench.methods.caddm.training:Caddm",
    "fst_matching": "dfworkbench.methods.fst_matching.training:FstMatching",
    "identity": "dfworkbench.methods.fst_matching.encoder_training:Identity",
    "mi_net": "dfworkbench.methods.mi_net.training:MiNetTraining",
    "resynthesis": "dfworkbench.methods.resynthesis.training:ResynthesisTraining",
    "super_resolution": "dfworkbench.methods.resynthesis.super_resolution:SuperResolution",
}

_OWNED = ("detector",)


def list_methods() -> list[str]:
    """Names of all training methods, alphabetical."""
    return sorted(METHODS)


def build_method(name: str, detector: Any, **options: Any) -> Any:
    """Wrap a detector in a training method.

    Args:
        name: One of `list_methods()`.
        detector: What it trains.
        **options: Of this method, see `method_options(name)`.

    Returns:
        A `torch.nn.Module` that keeps to `training.step.TrainingMethod`.

    Raises:
        UnknownNameError: No method has this name.
        ParameterError: It has no such option, or was not made for such detectors.
    """
    cls = load_method(name)
    check_options("training method", name, cls, options, skip=_OWNED)
    _require_fit(name, cls, detector)
    return cls(detector, **options)


def load_method(name: str) -> type:
    """The class of a training method."""
    return load_class("training method", METHODS, name)


def own_method(detector: str) -> str:
    """The training method that a detector was made for, by name: "binary" for most."""
    return getattr(detector_class(detector), "trained_by", "binary")


def method_options(name: str) -> dict[str, Any]:
    """Options of a training method with their defaults."""
    return class_options(load_method(name), skip=_OWNED)


def register_method(name: str, cls: type | str) -> None:
    """Add a training method of your own under a name that is not taken."""
    register("training method", METHODS, name, cls)


def _require_fit(name: str, cls: type, detector: Any) -> None:
    """A detector with parts that only one method trains names it in `trained_by`; such a method says so in `own_detectors`."""
    own = getattr(detector, "trained_by", "")
    if own and own != name and not issubclass(cls, load_method(own)):
        raise ParameterError(
            f"training {type(detector).__name__} with the method {name!r}: parts of it would never be trained; it was made for "
            f"{own!r}. Choose method = {own!r} (or 'auto'), or a plain detector such as 'resnet34'."
        )
    if getattr(cls, "own_detectors", False) and own != name:
        fitting = [d for d in (*DETECTORS, *HELPERS) if own_method(d) == name]
        raise ParameterError(
            f"training {type(detector).__name__} with the method {name!r}: it needs outputs that this detector has not. Choose "
            f"one of {', '.join(sorted(fitting))}, or method = 'auto'."
        )
