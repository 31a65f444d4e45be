"""Sphinx extension: the fields of a settings class, with default and description, as attributes in its docstring."""

from typing import Any

from sphinx.application import Sphinx

from dfworkbench.core.settings import Settings


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _add_fields, priority=100)  # before Napoleon reads the section
    return {"parallel_read_safe": True}


def _add_fields(_app: Sphinx, _kind: str, _name: str, documented: Any, _options: Any, lines: list[str]) -> None:
    if not (isinstance(documented, type) and issubclass(documented, Settings)):
        return
    lines += ["", "Attributes:"]
    for name, field in documented.model_fields.items():
        default = "" if field.is_required() else f" Default: ``{field.get_default(call_default_factory=True)!r}``."
        lines.append(f"    {name}: {field.description}{default}")
    lines.append("")
