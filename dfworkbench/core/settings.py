"""Base class of all settings, and parsing of `name=value` options."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import did_you_mean


class Settings(BaseModel):
    """Frozen, typed settings; unknown names raise an error.

    Subclasses give every field a `Field(default, description=…)`, with bounds if there are any; widgets, notebook parameters,
    command-line flags and run records are derived from the fields. Direct construction raises `ParameterError` too, so
    notebooks and tests see the same message.

    A class with presets has a field `preset` that selects one. A field named by any preset is *governed*: if omitted or None,
    it takes its value from the selected preset, or its default if that preset does not name it. An explicit value wins.

    Attributes:
        renamed: Former name of a field -> its current name. Stored settings and flags with a former name still work.
        presets: Name of a preset -> values that differ from the field defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    renamed: ClassVar[Mapping[str, str]] = {}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**self._completed(self._under_todays_names(values)))
        except ValidationError as error:
            raise ParameterError(_explain(type(self), error)) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not cls.presets:
            return
        chosen = cls.model_fields["preset"].default if "preset" in cls.model_fields else None
        strangers = {name for values in cls.presets.values() for name in values} - (set(cls.model_fields) - {"preset"})
        if chosen not in cls.presets or strangers:
            raise TypeError(
                f"{cls.__name__}: its presets {', '.join(cls.presets)} name the fields {sorted(strangers)}, and its field preset "
                f"is {chosen!r} by default; expected names of its fields only, and the name of a preset. Correct the class."
            )

    @classmethod
    def preset_values(cls, preset: str) -> dict[str, Any]:
        """The value of every governed field under a preset; empty if the class has no presets.

        Raises:
            ParameterError: There is no such preset; suggests the closest name.
        """
        if not cls.presets:
            return {}
        if preset not in list(cls.presets):  # a list, because a mapping look-up fails on unhashable values
            raise ParameterError(
                f"choosing a preset of {cls.__name__}: there is no {preset!r}.{did_you_mean(preset, cls.presets)} Expected one of "
                f"{', '.join(cls.presets)}; set preset to one of them, and change single values by hand."
            )
        governed = [name for name in cls.model_fields if any(name in values for values in cls.presets.values())]
        own = cls.presets[preset]
        return {
            name: own[name] if name in own else cls.model_fields[name].get_default(call_default_factory=True)  # pyright: ignore[reportCallIssue]
            for name in governed
        }

    def by_hand(self) -> dict[str, Any]:
        """Governed fields whose values differ from the selected preset; empty if the class has no presets."""
        values = self.preset_values(getattr(self, "preset", ""))
        return {name: getattr(self, name) for name, value in values.items() if getattr(self, name) != value}

    def replace(self, **changes: Any) -> Self:
        """A validated copy with some values changed. Changing the preset updates every field not set by hand."""
        changes = self._under_todays_names(changes)
        kept = self.model_dump()
        if self.presets and "preset" in changes:
            follows = self.preset_values(kept["preset"]).keys() - self.by_hand().keys()
            kept = {name: value for name, value in kept.items() if name not in follows}
        return type(self)(**{**kept, **changes})

    @classmethod
    def _completed(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Fill in preset values for omitted or None fields."""
        if not cls.presets:
            return values
        preset = values.get("preset")
        preset = cls.model_fields["preset"].default if preset is None else preset
        governed = cls.preset_values(preset)
        given = {name: value for name, value in values.items() if value is not None or name not in governed}
        return {**governed, **given, "preset": preset}

    @classmethod
    def _under_todays_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Rename former names, unless the current name is given too: then the former one is unknown."""
        return {name if (new := cls.renamed.get(name, name)) in values else new: v for name, v in values.items()}

    def content_hash(self, *, without: tuple[str, ...] = ()) -> str:
        """First 8 hex digits of the SHA-256 of the settings; `without` excludes fields that cannot change a result."""
        return hash_values({k: v for k, v in self.model_dump(mode="json").items() if k not in without})


def hash_values(values: Mapping[str, Any]) -> str:
    """First 8 hex digits of the SHA-256 of JSON values, independent of key order."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def _explain(cls: type[Settings], error: ValidationError) -> str:
    lines: list[str] = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"]) or cls.__name__
        if item["type"] == "extra_forbidden":
            hint = did_you_mean(name, cls.model_fields) or f" Known: {', '.join(cls.model_fields)}."
            lines.append(f"{cls.__name__} has no setting {name!r}.{hint}")
        else:
            message = item["msg"].removeprefix("Value error, ")
            lines.append(f"{cls.__name__}.{name} = {item.get('input')!r}: {message[:1].lower()}{message[1:]}.")
    return "\n".join(lines)


def parse_options(pairs: Iterable[str]) -> dict[str, Any]:
    """`["dropout=0.3", "layer=b"]` -> `{"dropout": 0.3, "layer": "b"}`; values are parsed as JSON, or kept as text.

    Raises:
        ParameterError: A text has no "=", or a name is given twice.
    """
    out: dict[str, Any] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign:
            raise ParameterError(f"reading options: {pair!r} is not a name=value pair, such as dropout=0.3.")
        if name.strip() in out:
            raise ParameterError(f"reading options: {name.strip()!r} is given twice in {pairs}. Give it once.")
        try:
            out[name.strip()] = json.loads(text)
        except ValueError:
            out[name.strip()] = text.strip()
    return out


def write_options(options: Mapping[str, Any]) -> list[str]:
    """The inverse of `parse_options`."""
    return [f"{name}={_option_text(value)}" for name, value in options.items()]


def _option_text(value: Any) -> str:
    plain = isinstance(value, str) and parse_options([f"_={value}"]) == {"_": value}
    return value if plain else json.dumps(value)  # text that looks like a number keeps its quotes
