"""One widget per setting, and conversion between widget values and settings."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as w
import traitlets

from dfworkbench.notebook.fields import Field, write_value
from dfworkbench.notebook.pickers import Choice, save_upload

#: With more steps than this, a slider cannot be set to a single value.
SLIDER_STEPS = 200
_MANTISSAS = (1, 1.5, 2, 3, 5, 7)
#: "auto" fills the column; "100%" plus the widgets' own margin would be wider than it
_FULL = w.Layout(width="auto")


@dataclass(frozen=True)
class Control:
    """A widget with functions to read and set it; `read` returns a value for the settings class to validate, `show` takes one.

    `check` raises a `WorkbenchError` for values that the settings class accepts but that are still wrong, such as unknown names.
    """

    field: Field
    widget: Any
    read: Callable[[], Any]
    check: Callable[[Any], None] | None = None

    def show(self, value: Any) -> None:
        """Set the widget to another value of the field."""
        widget = self.widget
        if isinstance(widget, w.Text):
            value = "" if value is None else write_value(value)
        elif isinstance(widget, w.SelectMultiple):
            value = tuple(value)
        elif isinstance(widget, (w.Dropdown, w.SelectionSlider)):
            listed = [option if isinstance(option, tuple) else (str(option), option) for option in widget.options]
            if all(each != value for _, each in listed):
                listed.append((write_value(value), value))
                by_size = isinstance(widget, w.SelectionSlider)
                widget.options = sorted(listed, key=lambda pair: pair[1]) if by_size else listed
        widget.value = value


class NameBox(w.VBox):
    """A dropdown of names whose last entry opens a text box for any other name; `value` is the name.

    Args:
        options: Names in the dropdown.
        value: The name shown initially.
        prefix: Prefix of typed names; added if missing.
    """

    value = traitlets.Unicode()
    tooltip = traitlets.Unicode(None, allow_none=True)  # not sent to the browser, whose boxes fail on one

    def __init__(self, options: list[str], value: str, prefix: str) -> None:
        self.prefix, self.other = prefix, f"other: {prefix}NAME"
        self.dropdown = w.Dropdown(options=[*options, self.other], layout=_FULL)
        # its own layout, because it is hidden and shown independently
        self.text = w.Text(placeholder=f"{prefix}NAME", continuous_update=False, layout=w.Layout(width="auto"))
        super().__init__([self.dropdown, self.text])
        self.observe(lambda _: self._show(), names="value")
        self.dropdown.observe(lambda _: self._take(), names="value")
        self.text.observe(lambda _: self._take(), names="value")
        traitlets.dlink((self, "tooltip"), (self.dropdown, "tooltip"))
        self.value = value

    def _show(self) -> None:
        listed = self.value in self.dropdown.options[:-1]
        self.text.layout.display = "none" if listed else ""
        if listed:
            self.dropdown.value = self.value
        else:
            self.text.value, self.dropdown.value = self.value, self.other

    def _take(self) -> None:
        typed = self.text.value.strip()
        other = typed if typed.startswith(self.prefix) else self.prefix + typed
        self.value = other if self.dropdown.value == self.other else self.dropdown.value


def make_control(field: Field, value: Any, choice: Choice | None = None) -> Control:
    """Make the control that suits a field, showing `value`."""
    if field.kind == "bool" and not field.optional:
        return _plain(field, w.Checkbox(value=bool(value), description="yes", indent=False, layout=_FULL))
    if field.kind == "choice":
        return _dropdown(field, list(field.choices) + ([None] if field.optional else []), value)
    if field.kind == "list":
        return _list(field, value)
    if field.kind == "text" and choice is not None and choice.prefix and not field.optional:
        box = NameBox(choice.options(str(value)), str(value), choice.prefix)
        return Control(field, box, lambda: box.value, choice.check)
    if field.kind == "text" and choice is not None and (value or not field.optional):
        names = choice.options(str(value))
        return _dropdown(field, names + ([None] if field.optional else []), value, choice.labels(names))
    if field.kind in ("int", "float") and not field.optional:
        return _number(field, value)
    return _text(field, value)


def upload_button(target: Any) -> Any:
    """A button that uploads a picture or video into the workspace and writes its path into the text box `target`."""
    button = w.FileUpload(
        accept="image/*,video/*", multiple=False, description="Upload", layout=w.Layout(width="120px")
    )
    button.tooltip = "A file of this computer, up to about 10 MB; larger ones go through JupyterLab's file browser."

    def take(_: Any) -> None:
        for file in button.value:
            target.value = str(save_upload(file["name"], bytes(file["content"])))

    button.observe(take, names="value")
    return button


def _plain(field: Field, widget: Any) -> Control:
    return Control(field, widget, lambda: widget.value)


def _dropdown(field: Field, options: list[Any], value: Any, labels: Sequence[str] = ()) -> Control:
    words = [*labels, *map(str, options[len(labels) :])]
    shown = [("automatic" if o in (None, "") else word, o) for word, o in zip(words, options, strict=True)]
    return _plain(field, w.Dropdown(options=shown, value=value, layout=_FULL))


def _number(field: Field, value: float) -> Control:
    low, high = field.low, field.high
    if field.logarithmic:
        return _plain(field, w.SelectionSlider(options=_decades(field, value), value=value, layout=_FULL))
    if field.kind == "int":
        bounds = {"min": int(low if low is not None else -(2**31)), "max": int(high if high is not None else 2**31)}
        kind = w.IntSlider if bounds["max"] - bounds["min"] <= SLIDER_STEPS else w.BoundedIntText
        return _plain(field, kind(value=value, layout=_FULL, **bounds))
    if low is not None and high is not None:
        step = _nice_step((high - low) / 100)
        digits = max(0, -round(math.log10(step)))
        slider = w.FloatSlider(value=value, min=low, max=high, step=step, readout_format=f".{digits}f", layout=_FULL)
        # a slider returns 0.30000000000000004 for 0.3
        return Control(field, slider, lambda: slider.value if slider.value == value else round(slider.value, 10))
    bounds = {"min": low if low is not None else -1e12, "max": high if high is not None else 1e12}
    return _plain(field, w.BoundedFloatText(value=value, step=_nice_step(abs(value) / 10), layout=_FULL, **bounds))


def _decades(field: Field, value: float) -> list[tuple[str, float]]:
    """Round steps for a logarithmic slider (0.001, 0.0015, 0.002, …), plus zero if allowed and the current value."""
    low, high = field.low or 0.0, field.high if field.high is not None else 1.0
    steps = {float(f"{m}e{exponent}") for exponent in range(-7, 2) for m in _MANTISSAS}
    chosen = {step for step in steps if low <= step <= high} | {value}
    if field.low == 0 and not field.above_low:
        chosen.add(0.0)
    return [(write_value(step), step) for step in sorted(chosen)]


def _nice_step(size: float) -> float:
    return 10.0 ** math.floor(math.log10(size)) if size > 0 else 0.1


def _list(field: Field, value: Any) -> Control:
    if field.choices:
        rows = min(len(field.choices), 6)
        return _plain(field, w.SelectMultiple(options=field.choices, value=tuple(value), rows=rows, layout=_FULL))
    text = w.Text(value=write_value(value), placeholder="separated by commas", continuous_update=False, layout=_FULL)
    return Control(field, text, lambda: [part.strip() for part in text.value.split(",") if part.strip()])


def _text(field: Field, value: Any) -> Control:
    shown = "" if value is None else write_value(value)
    text = w.Text(value=shown, placeholder="automatic" if field.optional else "", continuous_update=False, layout=_FULL)
    return Control(field, text, lambda: None if field.optional and not text.value.strip() else text.value.strip())
