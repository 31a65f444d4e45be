"""Base class of all settings. Their fields make the widgets, the notebook parameters and the saved record of a run."""

import hashlib
import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import did_you_mean


class Settings(BaseModel):
    """Frozen, typed settings; an unknown name is an error, never ignored.

    Subclasses give every field a `Field(default, description=…)`, with bounds where there are any. Direct construction
    raises `ParameterError` too, so notebooks and tests see the same message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ParameterError(_explain(type(self), error)) from None

    def replace(self, **changes: Any) -> Self:
        """A validated copy with some values changed."""
        return type(self)(**{**self.model_dump(), **changes})

    def content_hash(self, *, without: tuple[str, ...] = ()) -> str:
        """First 8 hex digits of the SHA-256 of the settings, leaving out fields that cannot change a result."""
        values = {k: v for k, v in self.model_dump(mode="json").items() if k not in without}
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


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """`["dropout=0.3", "layer=b"]` -> `{"dropout": 0.3, "layer": "b"}`."""
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
