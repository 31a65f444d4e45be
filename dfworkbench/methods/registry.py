"""Training methods by name; nothing is imported before it is built."""

from typing import Any

from dfworkbench.models.registry import check_options, class_options, load_class, register

#: Name -> "module:Class", alphabetical.
METHODS: dict[str, Any] = {
    "binary": "dfworkbench.methods.binary:Binary",
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
        A `torch.nn.Module` that keeps to `methods.step.TrainingMethod`.

    Raises:
        UnknownNameError: No method has this name.
        ParameterError: It has no such option.
    """
    cls = load_class("training method", METHODS, name)
    check_options("training method", name, cls, options, skip=_OWNED)
    return cls(detector, **options)


def method_options(name: str) -> dict[str, Any]:
    """Options of a training method with their defaults."""
    return class_options(load_class("training method", METHODS, name), skip=_OWNED)


def register_method(name: str, cls: type | str) -> None:
    """Add a training method of your own under a name that is not taken."""
    register("training method", METHODS, name, cls)
