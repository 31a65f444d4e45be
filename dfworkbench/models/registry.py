"""Detectors by name. Nothing is imported before it is built, so listing names needs no torch."""

import difflib
import importlib
import inspect
from typing import Any

from dfworkbench.errors import ParameterError
from dfworkbench.names import require_name

#: Name -> "module:Class", alphabetical. A class may stand here too, see `register_detector`.
DETECTORS: dict[str, Any] = {
    "caddm_efficientnet_b3": "dfworkbench.models.caddm:CaddmEfficientNetB3",
    "caddm_efficientnet_b4": "dfworkbench.models.caddm:CaddmEfficientNetB4",
    "caddm_resnet34": "dfworkbench.models.caddm:CaddmResNet34",
    **{f"efficientnet_b{i}": f"dfworkbench.models.efficientnet:EfficientNetB{i}" for i in range(8)},
    "efficientnet_b0_lstm": "dfworkbench.models.recurrent:EfficientNetB0LSTM",
    "efficientnet_b3_lstm": "dfworkbench.models.recurrent:EfficientNetB3LSTM",
    "fst_matching": "dfworkbench.models.fst_matching:FstMatching",
    "mesoinception4": "dfworkbench.models.mesoinception:MesoInception4",
    "mesonet4": "dfworkbench.models.mesonet:MesoNet4",
    "mesonet4_lstm": "dfworkbench.models.recurrent:MesoNet4LSTM",
    **{f"mi_net_efficientnet_b{i}": f"dfworkbench.models.mi_net:MiNetEfficientNetB{i}" for i in range(8)},
    "mi_net_mobilenet": "dfworkbench.models.mi_net:MiNetMobileNet",
    "mi_net_resnet34": "dfworkbench.models.mi_net:MiNetResNet34",
    "resnet18": "dfworkbench.models.resnet:ResNet18",
    "resnet34": "dfworkbench.models.resnet:ResNet34",
    "resynthesis_fused": "dfworkbench.models.resynthesis:ResynthesisFused",
    "resynthesis_pixel": "dfworkbench.models.resynthesis:ResynthesisPixel",
    **{f"resynthesis_stage{i}": f"dfworkbench.models.resynthesis:ResynthesisStage{i}" for i in range(1, 6)},
}
#: Networks that name people; like all of `HELPERS` they are built, trained and saved like detectors, but score nothing.
ENCODERS: dict[str, Any] = {"identity_resnet18": "dfworkbench.models.identity:IdentityResNet18"}
#: Networks that detectors are made with and that cannot tell real from fake.
HELPERS: dict[str, Any] = {**ENCODERS, "rdn": "dfworkbench.models.resynthesiser:Resynthesiser"}


def list_detectors() -> list[str]:
    """Names of all detectors, alphabetical."""
    return sorted(DETECTORS)


def list_encoders() -> list[str]:
    """Names of all encoders of identity, alphabetical."""
    return sorted(ENCODERS)


def build_detector(name: str, **options: Any) -> Any:
    """Build a detector, or one of `HELPERS`, with fresh weights.

    Args:
        name: One of `list_detectors()` or of `HELPERS`.
        **options: Of this detector, see `detector_options(name)`.

    Returns:
        A `torch.nn.Module` that keeps to `models.prediction.Detector`.

    Raises:
        UnknownNameError: No detector has this name.
        ParameterError: It has no such option.
    """
    cls = detector_class(name)
    check_options("detector", name, cls, options)
    return cls(**options)


def detector_class(name: str) -> type:
    """The class of a detector or of one of `HELPERS`."""
    return load_class("detector", DETECTORS | HELPERS, name)


def detector_options(name: str) -> dict[str, Any]:
    """Options of a detector with their defaults."""
    return class_options(detector_class(name))


def register_detector(name: str, cls: type | str) -> None:
    """Add a detector of your own.

    Args:
        name: A name that is not taken; it is saved in checkpoints.
        cls: The class, or "module:Class", which is imported when it is first built.

    Raises:
        ParameterError: The name is taken by another class.
    """
    register("detector", DETECTORS, name, cls)


def register(kind: str, known: dict[str, Any], name: str, cls: type | str) -> None:
    """Enter a class under a name; entering the same class twice (a notebook cell run again) is no error."""
    if name in known and known[name] != cls and getattr(known[name], "__qualname__", known[name]) != _qualified(cls):
        raise ParameterError(
            f"registering the {kind} {name!r}: this name is taken by {known[name]}. Choose another name; taken: {sorted(known)}."
        )
    known[name] = cls


def load_class(kind: str, known: dict[str, Any], name: str) -> type:
    """The class that stands in a registry under `name`."""
    entry = known[require_name(kind, name, known)]
    if not isinstance(entry, str):
        return entry
    module, _, attribute = entry.partition(":")
    return getattr(importlib.import_module(module), attribute)


def class_options(cls: type, *, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Names of a constructor's arguments with their defaults, without `self` and those in `skip`."""
    parameters = inspect.signature(cls).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in skip
    }


def check_options(kind: str, name: str, cls: type, options: dict[str, Any], *, skip: tuple[str, ...] = ()) -> None:
    """Raise `ParameterError` for the first option that the class does not have, naming the closest one."""
    known = class_options(cls, skip=skip)
    for option in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise ParameterError(
                f"building the {kind} {name!r}: it has no option {option!r}. {hint}Options: {', '.join(known) or 'none'}."
            )


def _qualified(cls: type | str) -> str:
    return cls if isinstance(cls, str) else cls.__qualname__
