"""Base class of all settings, and options as `name=value` text. Fields make widgets, parameters, flags and records of runs."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import did_you_mean


class Settings(BaseModel):
    """Frozen, typed settings; an unknown name is an error, never ignored.

    Subclasses give every field a `Field(default, description=…)`, with bounds where there are any. Direct construction
    raises `ParameterError` too, so notebooks and tests see the same message.

    Attributes:
        renamed: Former name of a field -> its name today. Stored settings and flags with a former name still work.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    renamed: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**self._under_todays_names(values))
        except ValidationError as error:
            raise ParameterError(_explain(type(self), error)) from None

    def replace(self, **changes: Any) -> Self:
        """A validated copy with some values changed."""
        return type(self)(**{**self.model_dump(), **self._under_todays_names(changes)})

    @classmethod
    def _under_todays_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A former name becomes today's, unless that is given too: then the former one is unknown."""
        return {name if (new := cls.renamed.get(name, name)) in values else new: v for name, v in values.items()}

    def content_hash(self, *, without: tuple[str, ...] = ()) -> str:
        """First 8 hex digits of the SHA-256 of the settings, leaving out fields that cannot change a result."""
        return hash_values({k: v for k, v in self.model_dump(mode="json").items() if k not in without})


def hash_values(values: Mapping[str, Any]) -> str:
    """First 8 hex digits of the SHA-256 of JSON values, whatever their order."""
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
    """`["dropout=0.3", "layer=b"]` -> `{"dropout": 0.3, "layer": "b"}`; values are JSON, or else text.

    Raises:
        ParameterError: A text has no "=", or a name is given twice.
    """
    out: dict[str, Any] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign:
            raise ParameterError(f"reading options: {pair!r} is no name=value pair, such as dropout=0.3.")
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
