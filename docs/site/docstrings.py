"""Sphinx extension: what docstrings need before Napoleon reads them."""

from typing import Any

from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

from dfworkbench.core.settings import Settings


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _prepare, priority=100)  # Napoleon has 500
    app.connect("autodoc-process-signature", _shorten)
    return {"parallel_read_safe": True}


def _prepare(_app: Sphinx, kind: str, _name: str, documented: Any, _options: Any, lines: list[str]) -> None:
    if kind in ("property", "attribute"):
        lines.insert(0, "")  # Napoleon takes what stands before a colon in the first line for a type
    if _is_settings(documented):
        lines += ["", "Fields:", *map(_field, documented.model_fields.items()), ""]


def _shorten(_app: Sphinx, _kind: str, _name: str, documented: Any, *_: Any) -> tuple[str, str] | None:
    """Settings take their fields by name; the list of fields says more than a signature of forty lines."""
    return ("(**fields)", "") if _is_settings(documented) else None


def _is_settings(documented: Any) -> bool:
    return isinstance(documented, type) and issubclass(documented, Settings)


def _field(item: tuple[str, Any]) -> str:
    """A field of settings as a line of a docstring, with its default."""
    name, field = item
    kind = stringify_annotation(field.annotation, short_literals=True)
    default = "" if field.is_required() else f" Default: ``{field.get_default(call_default_factory=True)!r}``."
    return f"    {name} ({kind}): {field.description.removesuffix('.')}.{default}"
