"""Registry of detectors. Nothing is imported before it is built, so listing names does not need torch.

Further detectors come from `register_detector` and from installed packages that declare them as entry points:

    [project.entry-points."dfworkbench.detectors"]
    tiny = "my_lab.nets:Tiny"
"""

import importlib
import inspect
import logging
import re
from collections.abc import Callable
from functools import cache, partial
from importlib import metadata
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from dfworkbench.core.errors import ParameterError, UnknownNameError
from dfworkbench.core.names import did_you_mean, require_name
from dfworkbench.models.prediction import Detector
from dfworkbench.models.timm_names import PREFIX, is_network, require_network

_log = logging.getLogger(__name__)

_CADDM = "dfworkbench.methods.caddm.network:Caddm"
_EFFICIENTNET = "dfworkbench.models.efficientnet:EfficientNet"
_MI_NET = "dfworkbench.methods.mi_net.network:MiNet"
_TIMM = "dfworkbench.models.timm_network:TimmNetwork"
_RESYNTHESIS = "dfworkbench.methods.resynthesis.network:Resynthesis"

#: Name -> "module:Class", with the arguments that make this variant if a class has several. A class may stand here too, see
#: `register_detector`.
DETECTORS: dict[str, Any] = {
    **{f"caddm_{b}": (_CADDM, {"backbone": b}) for b in ("efficientnet_b3", "efficientnet_b4", "resnet18", "resnet34")},
    **{f"efficientnet_b{i}": (_EFFICIENTNET, {"variant": f"b{i}"}) for i in range(8)},
    "efficientnet_b0_lstm": ("dfworkbench.models.recurrent:EfficientNetLSTM", {"variant": "b0"}),
    "efficientnet_b3_lstm": ("dfworkbench.models.recurrent:EfficientNetLSTM", {"variant": "b3"}),
    "fst_matching": "dfworkbench.methods.fst_matching.network:FstMatching",
    "mesoinception4": "dfworkbench.models.mesoinception:MesoInception4",
    "mesonet4": "dfworkbench.models.mesonet:MesoNet4",
    "mesonet4_lstm": "dfworkbench.models.recurrent:MesoNet4LSTM",
    **{f"mi_net_efficientnet_b{i}": (_MI_NET, {"backbone": f"efficientnet_b{i}"}) for i in range(8)},
    "mi_net_mobilenet": (_MI_NET, {"backbone": "mobilenet"}),
    "mi_net_resnet18": (_MI_NET, {"backbone": "resnet18"}),
    "mi_net_resnet34": (_MI_NET, {"backbone": "resnet34"}),
    "resnet18": ("dfworkbench.models.resnet:ResNet", {"depth": 18}),
    "resnet34": ("dfworkbench.models.resnet:ResNet", {"depth": 34}),
    "resynthesis_fused": (_RESYNTHESIS, {"stages": (0, 5)}),
    "resynthesis_pixel": (_RESYNTHESIS, {"stages": (0,)}),
    **{f"resynthesis_stage{i}": (_RESYNTHESIS, {"stages": (i,)}) for i in range(1, 6)},
}
#: Networks that identify people; like all `HELPERS` they are built, trained and saved like detectors, but do not score.
ENCODERS: dict[str, Any] = {"identity_resnet18": "dfworkbench.methods.fst_matching.encoder:IdentityResNet18"}
#: Networks that serve as parts of other networks; they cannot distinguish real from fake.
HELPERS: dict[str, Any] = {**ENCODERS, "rdn": "dfworkbench.methods.resynthesis.resynthesiser:Resynthesiser"}

#: Detectors that cannot be built without options and are therefore not listed: an imported run supplies the options.
DESCRIBED: dict[str, Any] = {"published": "dfworkbench.zoo.detector:PublishedDetector"}

#: Names that plug-ins cannot take.
BUILT_IN = frozenset((*DETECTORS, *HELPERS, *DESCRIBED))
#: Entry point group for detectors in installed packages.
ENTRY_POINTS = "dfworkbench.detectors"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")  # it becomes part of a folder name
_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)  # any non-empty text is true in Python, even "False"


def list_detectors() -> list[str]:
    """Names of all detectors, alphabetical: built-in, registered, and from installed packages."""
    return sorted(installed_detectors() | DETECTORS)


@cache
def installed_detectors() -> dict[str, str]:
    """Name -> "module:Class" of detectors from installed packages; built-in names cannot be overridden."""
    found = {entry.name: entry.value for entry in metadata.entry_points(group=ENTRY_POINTS)}
    for name in sorted(found):
        if name in BUILT_IN or not _NAME.fullmatch(name):
            _log.warning(
                "the detector %r of an installed package (%s) is left out: its name is one of ours or not valid",
                name,
                found[name],
            )
    return {name: value for name, value in found.items() if name not in BUILT_IN and _NAME.fullmatch(name)}


def build_detector(name: str, **options: Any) -> Any:
    """Build a detector, or one of `HELPERS`, with fresh weights.

    Args:
        name: One of `list_detectors()` or of `HELPERS`, or "timm:NAME" for a network of timm.
        **options: Arguments of its constructor, see `detector_options(name)`.

    Returns:
        A `torch.nn.Module` that implements `models.prediction.Detector`.

    Raises:
        UnknownNameError: No detector has this name.
        ParameterError: It has no such option, or a value is of another type or out of range.
    """
    builder = load_builder(name)
    check_options(name, builder, options)
    return builder(**options)


def load_builder(name: str) -> Callable[..., Any]:
    """The builder of a detector or helper: its class, or a `functools.partial` of it.

    Raises:
        UnknownNameError: No detector has this name.
    """
    known = installed_detectors() | DETECTORS | HELPERS | DESCRIBED
    if name.startswith(PREFIX):
        network = require_network(name.removeprefix(PREFIX))
        known = {name: (_TIMM, {"network": network})}
    elif name not in known and is_network(name):
        raise UnknownNameError(
            f"no detector is called {name!r}, but timm has a network of this name. Expected '{PREFIX}{name}' for it: use that."
        )
    return load_entry("detector", known, name)


def detector_options(name: str) -> dict[str, Any]:
    """Options of a detector with their defaults."""
    return builder_options(load_builder(name))


def detector_trait(detector: Any, trait: str) -> Any:
    """An optional attribute of a detector (given or by name), or its default in `models.prediction.Detector`."""
    owner = load_builder(detector) if isinstance(detector, str) else detector
    owner = owner.func if isinstance(owner, partial) else owner
    return getattr(owner, trait, getattr(Detector, trait))


def register_detector(name: str, builder: type | Callable[..., Any] | str, *, check: bool = True) -> None:
    """Register a detector of your own; it can then be selected, trained, saved, loaded and scored like the built-in ones.

    Guide and template: docs/guides/add_a_detector.md.

    Args:
        name: An unused name; it is saved in checkpoints.
        builder: The class, or a function that builds the detector, with plain values as defaults of all arguments; or
            "module:Class", which is imported when first built, and not checked.
        check: Whether to test it on two small random inputs, see `models.protocol.check_detector`.

    Raises:
        ParameterError: The name is taken, or cannot be part of a folder's name.
        InputError: It violates the protocol.
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
    """Where a plug-in is defined, as "module:Class", for checkpoints; "" for built-in detectors."""
    entry = (installed_detectors() | DETECTORS).get(name)
    if name in BUILT_IN or entry is None or isinstance(entry, str):
        return "" if name in BUILT_IN else entry or ""
    return f"{entry.__module__}:{entry.__qualname__}"


def register(kind: str, known: dict[str, Any], name: str, cls: type | Callable[..., Any] | str) -> None:
    """Add a class to a registry; adding the same class again (a rerun notebook cell) is not an error."""
    if name in known and known[name] != cls and getattr(known[name], "__qualname__", known[name]) != _qualified(cls):
        raise ParameterError(
            f"registering the {kind} {name!r}: this name is taken by {known[name]}. Choose another name; taken: {sorted(known)}."
        )
    known[name] = cls


def load_entry(kind: str, known: dict[str, Any], name: str) -> Any:
    """Import the entry `name` of a registry, with its arguments bound if it has any."""
    entry = known[require_name(kind, name, known)]
    home, bound = entry if isinstance(entry, tuple) else (entry, {})
    if isinstance(home, str):
        module, _, attribute = home.partition(":")
        home = getattr(importlib.import_module(module), attribute)
    return partial(home, **bound) if bound else home


def builder_options(builder: Callable[..., Any]) -> dict[str, Any]:
    """Arguments of a constructor with their defaults, except those already bound."""
    return {name: parameter.default for name, parameter in _parameters(builder).items()}


def check_options(name: str, builder: Callable[..., Any], options: dict[str, Any]) -> None:
    """Check options against the annotations of the constructor, which state types and bounds (`models.options`).

    Raises:
        ParameterError: For the first option that does not exist, naming the closest one, or whose value does not fit.
    """
    known = _parameters(builder)
    for option, value in options.items():
        if option not in known:
            raise ParameterError(
                f"building the detector {name!r}: it has no option {option!r}.{did_you_mean(option, known)} Options: "
                f"{', '.join(known) or 'none'}."
            )
        wanted = known[option].annotation
        if wanted is inspect.Parameter.empty or isinstance(wanted, str):
            continue
        try:
            TypeAdapter(wanted, config=_STRICT).validate_python(value)
        except ValidationError as error:
            wrong = error.errors()[0]["msg"]
            raise ParameterError(
                f"building the detector {name!r}: {option} = {value!r}; {wrong[0].lower()}{wrong[1:]}."
            ) from None


def _parameters(builder: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    bound = builder.keywords if isinstance(builder, partial) else {}
    try:
        signature = inspect.signature(builder, eval_str=True)
    except NameError:  # the annotation is a string that names something imported for type checking only
        signature = inspect.signature(builder)
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {p.name: p for p in signature.parameters.values() if p.kind in kinds and p.name not in bound}


def _qualified(cls: type | Callable[..., Any] | str) -> str:
    return cls if isinstance(cls, str) else cls.__qualname__
