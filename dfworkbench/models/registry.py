"""Detectors by name. Nothing is imported before it is built, so listing names needs no torch.

Besides ours there are those of `register_detector`, and those of installed packages that name them in their metadata:

    [project.entry-points."dfworkbench.detectors"]
    tiny = "my_lab.nets:Tiny"
"""

import importlib
import inspect
import logging
import re
from collections.abc import Callable
from functools import cache
from importlib import metadata
from numbers import Integral, Real
from typing import Any

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import did_you_mean, require_name

_log = logging.getLogger(__name__)

#: Name -> "module:Class", alphabetical. A class may stand here too, see `register_detector`.
DETECTORS: dict[str, Any] = {
    "caddm_efficientnet_b3": "dfworkbench.methods.caddm.network:CaddmEfficientNetB3",
    "caddm_efficientnet_b4": "dfworkbench.methods.caddm.network:CaddmEfficientNetB4",
    "caddm_resnet34": "dfworkbench.methods.caddm.network:CaddmResNet34",
    **{f"efficientnet_b{i}": f"dfworkbench.models.efficientnet:EfficientNetB{i}" for i in range(8)},
    "efficientnet_b0_lstm": "dfworkbench.models.recurrent:EfficientNetB0LSTM",
    "efficientnet_b3_lstm": "dfworkbench.models.recurrent:EfficientNetB3LSTM",
    "fst_matching": "dfworkbench.methods.fst_matching.network:FstMatching",
    "mesoinception4": "dfworkbench.models.mesoinception:MesoInception4",
    "mesonet4": "dfworkbench.models.mesonet:MesoNet4",
    "mesonet4_lstm": "dfworkbench.models.recurrent:MesoNet4LSTM",
    **{f"mi_net_efficientnet_b{i}": f"dfworkbench.methods.mi_net.network:MiNetEfficientNetB{i}" for i in range(8)},
    "mi_net_mobilenet": "dfworkbench.methods.mi_net.network:MiNetMobileNet",
    "mi_net_resnet34": "dfworkbench.methods.mi_net.network:MiNetResNet34",
    "resnet18": "dfworkbench.models.resnet:ResNet18",
    "resnet34": "dfworkbench.models.resnet:ResNet34",
    "resynthesis_fused": "dfworkbench.methods.resynthesis.network:ResynthesisFused",
    "resynthesis_pixel": "dfworkbench.methods.resynthesis.network:ResynthesisPixel",
    **{f"resynthesis_stage{i}": f"dfworkbench.methods.resynthesis.network:ResynthesisStage{i}" for i in range(1, 6)},
}
#: Networks that name people; like all of `HELPERS` they are built, trained and saved like detectors, but score nothing.
ENCODERS: dict[str, Any] = {"identity_resnet18": "dfworkbench.methods.fst_matching.encoder:IdentityResNet18"}
#: Networks that detectors are made with and that cannot tell real from fake.
HELPERS: dict[str, Any] = {**ENCODERS, "rdn": "dfworkbench.methods.resynthesis.resynthesiser:Resynthesiser"}

#: Types of options that are checked -> what fits, and its name.
_PLAIN_TYPES: dict[Any, tuple[type, str]] = {
    bool: (bool, "true or false"), int: (Integral, "a whole number"), float: (Real, "a number")
}  # fmt: skip

#: Names that no plug-in can take.
BUILT_IN = frozenset((*DETECTORS, *HELPERS))
#: Group of entry points by which an installed package brings detectors.
ENTRY_POINTS = "dfworkbench.detectors"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")  # it becomes part of a folder's name


def list_detectors() -> list[str]:
    """Names of all detectors, alphabetical: ours, registered ones, and those of installed packages."""
    return sorted(installed_detectors() | DETECTORS)


@cache
def installed_detectors() -> dict[str, str]:
    """Name -> "module:Class" of the detectors that installed packages bring; a name of ours stays ours."""
    found = {entry.name: entry.value for entry in metadata.entry_points(group=ENTRY_POINTS)}
    for name in sorted(found):
        if name in BUILT_IN or not _NAME.fullmatch(name):
            _log.warning(
                "the detector %r of an installed package (%s) is left out: a name of ours, or none", name, found[name]
            )
    return {name: value for name, value in found.items() if name not in BUILT_IN and _NAME.fullmatch(name)}


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
    return load_class("detector", installed_detectors() | DETECTORS | HELPERS, name)


def detector_options(name: str) -> dict[str, Any]:
    """Options of a detector with their defaults."""
    return class_options(detector_class(name))


def register_detector(name: str, builder: type | Callable[..., Any] | str, *, check: bool = True) -> None:
    """Add a detector of your own; from then on it stands in every selector, is trained, saved, loaded and scored like ours.

    Guide and template: docs/guides/add_a_detector.md.

    Args:
        name: A name that is not taken; it is saved in checkpoints.
        builder: The class, or a function that builds the detector, all of whose arguments have defaults that are plain values; or
            "module:Class", which is imported when it is first built, and not checked.
        check: Whether to build it and try it on two small random inputs, see `models.protocol.check_detector`.

    Raises:
        ParameterError: The name is taken, or cannot be part of a folder's name.
        InputError: It does not keep to the protocol; says in what.
    """
    if name in BUILT_IN or not _NAME.fullmatch(name):
        why = "it is one of dfworkbench's own" if name in BUILT_IN else "it cannot be part of a folder's name"
        raise ParameterError(
            f"registering the detector {name!r}: this name is taken or not possible ({why}). Expected letters, digits and "
            "underscores, and none of ours: choose another name."
        )
    if check and not isinstance(builder, str):
        from dfworkbench.models.protocol import check_detector  # needs torch

        check_detector(name, builder)
    register("detector", DETECTORS, name, builder)


def home_of(name: str) -> str:
    """Where a plug-in is defined, as "module:Class"; "" for ours. It goes into checkpoints, for those who lack it."""
    entry = (installed_detectors() | DETECTORS).get(name)
    if name in BUILT_IN or entry is None or isinstance(entry, str):
        return "" if name in BUILT_IN else entry or ""
    return f"{entry.__module__}:{entry.__qualname__}"


def register(kind: str, known: dict[str, Any], name: str, cls: type | Callable[..., Any] | str) -> None:
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
    """Raise `ParameterError` for the first option that the class does not have, naming the closest one, or of another type.

    Types are looked at where they are a plain bool, int or float: any text is true to Python, "False" too.
    """
    known = class_options(cls, skip=skip)
    types = inspect.signature(cls).parameters
    for option, value in options.items():
        if option not in known:
            raise ParameterError(
                f"building the {kind} {name!r}: it has no option {option!r}.{did_you_mean(option, known)} Options: "
                f"{', '.join(known) or 'none'}."
            )
        wanted = types[option].annotation
        fitting, words = _PLAIN_TYPES.get(wanted, (object, ""))
        if words and (not isinstance(value, fitting) or isinstance(value, bool) != (wanted is bool)):
            raise ParameterError(f"building the {kind} {name!r}: {option} = {value!r}; expected {words}.")


def _qualified(cls: type | Callable[..., Any] | str) -> str:
    return cls if isinstance(cls, str) else cls.__qualname__
