"""Registry of training methods; nothing is imported before it is built."""

from typing import Any

from dfworkbench.core.errors import ParameterError
from dfworkbench.models.registry import DETECTORS, HELPERS, detector_trait, load_entry, register

#: Name -> "module:Class", alphabetical.
METHODS: dict[str, Any] = {
    "binary": "dfworkbench.training.binary:Binary",
    "caddm": "dfworkbench.methods.caddm.training:Caddm",
    "fst_matching": "dfworkbench.methods.fst_matching.training:FstMatching",
    "identity": "dfworkbench.methods.fst_matching.encoder_training:Identity",
    "mi_net": "dfworkbench.methods.mi_net.training:MiNetTraining",
    "resynthesis": "dfworkbench.methods.resynthesis.training:ResynthesisTraining",
    "sbi": "dfworkbench.methods.sbi.training:Sbi",
    "super_resolution": "dfworkbench.methods.resynthesis.super_resolution:SuperResolution",
}


def list_methods() -> list[str]:
    """Names of all training methods, alphabetical."""
    return sorted(METHODS)


def build_method(name: str, detector: Any, **options: Any) -> Any:
    """Wrap a detector in a training method.

    Args:
        name: One of `list_methods()`.
        detector: The network to train.
        **options: Options of the method, see `method_options(name)`.

    Returns:
        A `training.step.TrainingMethod`.

    Raises:
        UnknownNameError: No method has this name.
        ParameterError: It has no such option, a value is out of range, or it does not support this detector.
    """
    cls = load_method(name)
    _require_fit(name, cls, detector)
    return cls(detector, **options)


def load_method(name: str) -> Any:
    """The class of a training method, a subclass of `training.step.TrainingMethod`."""
    return load_entry("training method", METHODS, name)


def own_method(detector: str) -> str:
    """Name of the training method made for a detector: "binary" for most."""
    return detector_trait(detector, "trained_by")


def method_options(name: str) -> dict[str, Any]:
    """Options of a training method with their defaults; bounds and descriptions are in its `Settings`."""
    return {option: field.default for option, field in load_method(name).Settings.model_fields.items()}


def register_method(name: str, cls: type | str) -> None:
    """Register your own training method, a `TrainingMethod` or its "module:Class", under an unused name."""
    register("training method", METHODS, name, cls)


def _require_fit(name: str, cls: Any, detector: Any) -> None:
    own = detector_trait(detector, "trained_by")
    if own not in ("binary", name) and not issubclass(cls, load_method(own)):
        raise ParameterError(
            f"training {type(detector).__name__} with the method {name!r}: parts of it would never be trained; it was made for "
            f"{own!r}. Choose method = {own!r} (or 'auto'), or a plain detector such as 'resnet34'."
        )
    if cls.own_detectors and own != name:
        fitting = [d for d in (*DETECTORS, *HELPERS) if own_method(d) == name]
        raise ParameterError(
            f"training {type(detector).__name__} with the method {name!r}: it needs outputs that this detector does not have. "
            f"Choose one of {', '.join(sorted(fitting))}, or method = 'auto'."
        )
