"""Fields of a settings class: the common source of widgets, command-line flags and batch commands."""

import collections.abc
import json
import types
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from dfworkbench.core.settings import Settings, parse_options, write_options

S = TypeVar("S", bound=Settings)

#: Numeric fields that are naturally set in powers of ten.
LOGARITHMIC = ("learning_rate", "weight_decay")


@dataclass(frozen=True)
class Field:
    """One setting, described independently of pydantic.

    Attributes:
        name: Dotted where settings are nested (`faces.min_face_px`).
        kind: The kind of value; "options" are name=value pairs, separated by commas.
        optional: Whether None ("decide for me") is allowed.
        choices: The allowed values of a Literal, or those named in `json_schema_extra={"choices": …}`; otherwise empty.
        low: Smallest value, or None.
        high: Largest value, or None.
        default: Value when nothing is given.
        description: One sentence for users.
        above_low: Whether `low` itself is excluded.
        media: Whether it is the path of a picture or video that may also be uploaded (`json_schema_extra={"media": True}`).
    """

    name: str
    kind: Literal["bool", "int", "float", "choice", "path", "text", "list", "options"]
    optional: bool
    choices: tuple[Any, ...]
    low: float | None
    high: float | None
    default: Any
    description: str
    above_low: bool = False
    media: bool = False

    @property
    def title(self) -> str:
        """The name as words: `learning_rate` -> "Learning rate"."""
        words = self.name.rpartition(".")[2].replace("_", " ")
        for unit in ("px", "s"):
            words = words.removesuffix(f" {unit}") + (f" ({unit})" if words.endswith(f" {unit}") else "")
        return words[:1].upper() + words[1:]

    @property
    def logarithmic(self) -> bool:
        """Whether its values are best shown on a logarithmic scale."""
        return self.kind == "float" and self.name.rpartition(".")[2] in LOGARITHMIC

    @property
    def flag(self) -> str:
        """The command line flag: `--learning-rate`."""
        return "--" + self.name.replace("_", "-").replace(".", "-")


def read_fields(cls: type[Settings], prefix: str = "") -> dict[str, Field]:
    """All fields of a settings class in order; nested classes are flattened to dotted names."""
    found: dict[str, Field] = {}
    for name, info in cls.model_fields.items():
        annotation, optional = _without_none(info.annotation)
        if isinstance(annotation, type) and issubclass(annotation, Settings):
            found |= read_fields(annotation, f"{prefix}{name}.")
        else:
            found[prefix + name] = _field(prefix + name, annotation, optional, info)
    if cls.presets and not prefix:
        found["preset"] = replace(found["preset"], kind="choice", choices=tuple(cls.presets))
    return found


def flat_values(settings: Settings, prefix: str = "") -> dict[str, Any]:
    """The values of settings under the names of `read_fields`."""
    values: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        values |= flat_values(value, f"{prefix}{name}.") if isinstance(value, Settings) else {prefix + name: value}
    return values


def build_settings(cls: type[S], values: collections.abc.Mapping[str, Any]) -> S:
    """The inverse of `flat_values`; names that are left out keep their defaults. Options may be text, as typed.

    Raises:
        ParameterError: A value is out of range, a name is unknown (with the closest name), or options are not name=value pairs.
    """
    nested: dict[str, Any] = {}
    fields = read_fields(cls)
    for name, value in values.items():
        if name in fields and fields[name].kind == "options" and isinstance(value, str):
            value = parse_options(split_pairs(value))
        *parents, leaf = name.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = value
    return cls(**nested)


def default_values(cls: type[Settings]) -> dict[str, Any]:
    """Flat name -> default of every field."""
    return {name: field.default for name, field in read_fields(cls).items()}


def write_value(value: Any) -> str:
    """A value as typed after `-p NAME` or a flag."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, dict):
        return ",".join(_write_pair(name, option) for name, option in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(write_value(item) for item in value)
    return str(value)


def _write_pair(name: str, value: Any) -> str:
    (pair,) = write_options({name: value})
    return pair if split_pairs(pair) == [pair] else f"{name}={json.dumps(value)}"


def split_pairs(text: str) -> list[str]:
    """Split typed options, `a=1, b=[2, 3]`, at the commas outside brackets and quotes."""
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "[{") - (letter in "]}")
        if letter == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _field(name: str, annotation: Any, optional: bool, info: FieldInfo) -> Field:
    kind, choices = _kind(annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    if kind == "text" and extra.get("choices"):
        kind, choices = "choice", tuple(extra["choices"])  # pyright: ignore[reportArgumentType]
    if kind == "text" and extra.get("media"):
        kind = "path"
    low, high = _bounds(info, kind)
    default = info.get_default(call_default_factory=True)  # pyright: ignore[reportCallIssue]
    above_low = kind == "float" and any(hasattr(rule, "gt") for rule in info.metadata)
    return Field(
        name, kind, optional, choices, low, high, default, info.description or "", above_low, bool(extra.get("media"))
    )


def _kind(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    origin = get_origin(annotation)
    if origin is Literal:
        return "choice", get_args(annotation)
    if origin in (list, tuple, set, frozenset, collections.abc.Sequence) or annotation in (list, tuple):
        inner = next((arg for arg in get_args(annotation) if get_origin(arg) is Literal), None)
        return "list", get_args(inner) if inner else ()
    if origin is dict or annotation is dict:
        return "options", ()
    for type_, kind in ((bool, "bool"), (int, "int"), (float, "float"), (Path, "path")):
        if annotation is type_ or (isinstance(annotation, type) and issubclass(annotation, type_)):
            return kind, ()
    return "text", ()


def _without_none(annotation: Any) -> tuple[Any, bool]:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        members = [arg for arg in get_args(annotation) if arg is not type(None)]
        optional = len(members) < len(get_args(annotation))
        # int | float and Path | str: the wider type is what may be entered
        inner = (
            members[-1]
            if len(members) > 1 and str not in members
            else next((m for m in members if m is str), members[0])
        )
        return _without_none(inner)[0], optional
    return annotation, False


def _bounds(info: FieldInfo, kind: str) -> tuple[float | None, float | None]:
    step = 1 if kind == "int" else 0  # for whole numbers, "greater than 0" is "at least 1"
    low = high = None
    for rule in info.metadata:  # annotated-types objects, which pydantic makes from Field(ge=…)
        low = rule.ge if hasattr(rule, "ge") else rule.gt + step if hasattr(rule, "gt") else low
        high = rule.le if hasattr(rule, "le") else rule.lt - step if hasattr(rule, "lt") else high
    return low, high
