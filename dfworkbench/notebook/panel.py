"""SettingsPanel: settings as widgets, equivalent to notebook parameters and command-line flags.

A panel never runs anything, and nothing waits for it: `panel.settings` holds the current values. Without a browser (papermill, an
exported page) it is shown as a plain table.
"""

import html
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import ipywidgets as w

from dfworkbench.core.errors import ParameterError, UnknownNameError, WorkbenchError
from dfworkbench.core.html import LEFT, STYLE, wrap
from dfworkbench.core.names import require_name
from dfworkbench.core.settings import Settings
from dfworkbench.notebook.commands import batch_command, notebook_defaults
from dfworkbench.notebook.controls import Control, make_control, upload_button
from dfworkbench.notebook.fields import build_settings, flat_values, read_fields, write_value
from dfworkbench.notebook.panel_notes import command_html, message_html, preset_html, preset_words
from dfworkbench.notebook.pickers import CHOICES, Choice, describe_path
from dfworkbench.notebook.visit import visit

S = TypeVar("S", bound=Settings)


class SettingsPanel(Generic[S]):
    """Widgets for every field of a settings object.

    Settings that are also notebook parameters come first, all others are under "More settings". If the settings have presets,
    choosing one updates the widgets it governs, except those changed by hand.

    Args:
        settings: Initial values, usually built from the notebook's parameters.
        notebook: Name of the notebook that shows the panel, for the batch command.
        title: Heading; the class name in words by default.
        choices: Field name -> `Choice`, added to `pickers.CHOICES`; None for a plain text box.
        hide: Fields that are hidden and keep their value.
        visitors: Fields that visitors of `dfworkbench app` may set. In the app, all others keep their value and have no widget: a
            visitor could send any value that a widget takes, including a server path.

    Raises:
        UnknownNameError: `settings` names a detector, method or layout that does not exist.
    """

    def __init__(
        self,
        settings: S,
        notebook: str | None = None,
        *,
        title: str | None = None,
        choices: Mapping[str, Choice | None] | None = None,
        hide: Iterable[str] = (),
        visitors: Iterable[str] = (),
    ) -> None:
        self._class = type(settings)
        self._is_visit = visit() is not None
        self._values = flat_values(settings)
        self._notebook = notebook
        self._title = title or _words(self._class.__name__)
        known = {**CHOICES, **(choices or {})}
        self._controls: dict[str, Control] = {
            name: make_control(field, self._values[name], known.get(name.rpartition(".")[2]))
            for name, field in read_fields(self._class).items()
            if name not in set(hide) and (not self._is_visit or name in set(visitors))
        }
        self._result: S | WorkbenchError = settings
        self._notes = {name: w.HTML() for name, control in self._controls.items() if control.field.kind == "path"}
        uploads = [name for name, control in self._controls.items() if control.field.media]
        self._uploads = {name: upload_button(self._controls[name].widget) for name in uploads}
        self._message, self._command = w.HTML(), w.HTML()
        if self._class.presets and "preset" in self._controls:
            self._controls["preset"].widget.observe(self._follow_preset, names="value")  # before the settings are built
        for control in self._controls.values():
            control.widget.observe(lambda _: self._refresh(), names="value")
        self._refresh()
        self.box = self._layout()

    @property
    def settings(self) -> S:
        """The current settings, validated.

        Raises:
            ParameterError: A widget holds a value that the settings refuse; the panel shows the same message.
            UnknownNameError: The typed name is not that of a detector.
        """
        if isinstance(self._result, WorkbenchError):
            raise self._result
        return self._result

    @property
    def command(self) -> str:
        """The equivalent batch command; empty while a value is refused."""
        return "" if isinstance(self._result, WorkbenchError) else batch_command(self._result, self._notebook)

    @property
    def message(self) -> str:
        """What is wrong with the values, or an empty string."""
        return str(self._result) if isinstance(self._result, WorkbenchError) else ""

    def __getitem__(self, name: str) -> Any:
        """The widget of a field: `panel["epochs"].value = 5`."""
        require_name("setting of this panel", name, self._controls)
        return self._controls[name].widget

    def _follow_preset(self, change: Any) -> None:
        """Show the new preset's values where the former preset's are shown; values set by hand are kept."""
        wanted = self._class.preset_values(change["new"])
        for name, former in self._class.preset_values(change["old"]).items():
            control = self._controls.get(name)
            if control is not None and write_value(control.read()) == write_value(former):
                control.show(wanted[name])
            elif control is None and self._values[name] == former:
                self._values[name] = wanted[name]

    def _refresh(self) -> None:
        values = {**self._values, **{name: control.read() for name, control in self._controls.items()}}
        try:
            for name, control in self._controls.items():
                if control.check is not None:
                    control.check(values[name])
            self._result = build_settings(self._class, values)
        except (ParameterError, UnknownNameError) as error:
            self._result = error
        for name, note in self._notes.items():
            exists, words = describe_path(str(values[name] or ""))
            note.value = f'<span class="dfw dfw-hint {"" if exists else "dfw-bad"}">{html.escape(words)}</span>'
        quiet = self._is_visit and not self.message
        self._message.value = preset_html(self._result) + ("" if quiet else message_html(self.message))
        self._command.value = command_html(self.command)

    def _layout(self) -> w.VBox:
        first, rest = self._order()
        parts: list[Any] = [w.HTML(f'{STYLE}<div class="dfw dfw-title">{html.escape(self._title)}</div>')]
        parts += self._groups(first)
        if rest:
            more = w.Accordion([w.VBox(self._groups(rest))], titles=[f"More settings ({len(rest)})"])
            more.layout.margin = "10px 0 4px 0"
            parts.append(more)
        box = w.VBox([*parts, self._message] if self._is_visit else [*parts, self._message, self._command])
        return box.add_class("dfw-card")

    def _order(self) -> tuple[list[str], list[str]]:
        """The notebook's parameters in its order, and all other fields."""
        parameters = notebook_defaults(self._notebook)
        if parameters is None:
            return list(self._controls), []
        leaves = {name.rpartition(".")[2]: name for name in reversed(self._controls)}
        first = [leaves[leaf] for leaf in parameters if leaf in leaves]
        return first, [name for name in self._controls if name not in first]

    def _groups(self, names: list[str]) -> list[Any]:
        """Two columns of settings; nested settings get their own heading."""
        parts: list[Any] = []
        for group in dict.fromkeys(name.rpartition(".")[0] for name in names):
            cells = [self._cell(name) for name in names if name.rpartition(".")[0] == group]
            if group:
                parts.append(w.HTML(f'<div class="dfw dfw-group">{html.escape(_words(group))}</div>'))
            columns = "repeat(auto-fit, minmax(min(100%, 340px), 1fr))"  # two, and one on a phone
            parts.append(
                w.GridBox(
                    cells, layout=w.Layout(grid_template_columns=columns, grid_gap="12px 32px", overflow="hidden")
                )
            )
        return parts

    def _cell(self, name: str) -> w.VBox:
        control = self._controls[name]
        title, hint = html.escape(control.field.title), html.escape(control.field.description)
        control.widget.tooltip = control.field.description
        label = w.HTML(
            f'<div class="dfw"><span class="dfw-label">{title}</span><br><span class="dfw-hint">{hint}</span></div>'
        )
        parts = [label, control.widget]
        if name in self._uploads:
            control.widget.layout.flex = "1 1 auto"
            parts = [label, w.HBox([control.widget, self._uploads[name]])]
        if name in self._notes:
            parts.append(self._notes[name])
        # labels above, controls at the bottom: rows line up whatever the length of the text
        return w.VBox(parts, layout=w.Layout(justify_content="space-between", overflow="hidden"))

    def _texts(self) -> dict[str, str]:
        values = {**self._values, **{name: control.read() for name, control in self._controls.items()}}
        return {
            name: write_value(values[name]) if values[name] not in (None, "", (), {}) else "-"
            for name in self._controls
        }

    def __repr__(self) -> str:
        width = max(map(len, self._controls), default=0)
        lines = [f"{name:<{width}}  {value}" for name, value in self._texts().items()]
        note = [words] if (words := preset_words(self._result)) else []
        return "\n".join([self._title, *lines, *note, self.message or f"batch: {self.command}"])

    def _repr_html_(self) -> str:
        first, rest = self._order()
        more = f"<details><summary>More settings ({len(rest)})</summary>{self._table(rest)}</details>" if rest else ""
        head = f'<div class="dfw-title">{html.escape(self._title)}</div>{self._table(first)}'
        notes = preset_html(self._result) + message_html(self.message)
        return wrap(f"{head}{more}{notes}{command_html(self.command)}", "dfw-card")

    def _table(self, names: list[str]) -> str:
        texts = self._texts()
        rows = "".join(
            f"<tr><td{LEFT}><b>{html.escape(name)}</b></td>"
            f'<td style="min-width:8em;overflow-wrap:anywhere;text-align:left">{html.escape(texts[name])}</td>'
            f'<td class="dfw-hint"{LEFT}>{html.escape(self._controls[name].field.description)}</td></tr>'
            for name in names
        )
        return f"<table>{rows}</table>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = dict(self.box._repr_mimebundle_(**kwargs) or {})
        if self._is_visit:  # the other forms name what the operator set
            return bundle
        return bundle | {"text/plain": repr(self), "text/html": self._repr_html_()}


def _words(name: str) -> str:
    """`TrainSettings` -> "Train settings"."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]
