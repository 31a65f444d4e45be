"""PublishedDetectors: widget of notebook 03 that shows cards, gets weights in a thread, and selects them as checkpoint."""

import html
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w

from dfworkbench.core.errors import ParameterError, WorkbenchError
from dfworkbench.core.html import STYLE, wrap
from dfworkbench.core.workspace import find_workspace
from dfworkbench.notebook.card_view import card_html, file_html, list_html, sizes
from dfworkbench.notebook.live import LiveProgress, StoppedError
from dfworkbench.notebook.panel import SettingsPanel
from dfworkbench.notebook.pickers import save_upload
from dfworkbench.notebook.published import PREFIX, card_of_run, checkpoint_labels, checkpoints, why_by_hand
from dfworkbench.zoo.cache import target_path
from dfworkbench.zoo.card import Card, get_card, list_cards
from dfworkbench.zoo.card_runs import find_run, import_file, run_of, split_name, whole_files, with_parts
from dfworkbench.zoo.describe import cards_table
from dfworkbench.zoo.fetching import get
from dfworkbench.zoo.licences import is_accepted

_HINT = (
    "Detectors that others have trained and published. Choose one to see what it is, where it comes from, and what its score is "
    "worth. Nothing is downloaded before you press <i>Get</i>."
)
_UPLOAD_HINT = (
    "Small files (up to about 10 MB) can be uploaded. Put a larger one at the place above and press Get, or type its "
    "path."
)


class PublishedDetectors:
    """Choose a published detector, get or import its weights, and make it the checkpoint of a panel.

    Downloads and imports run in a thread, so cells can run meanwhile. Without a browser (papermill, an exported page) it shows the
    list of all, or the card that the panel's checkpoint names.

    Args:
        panel: Its field `checkpoint` is set to the run once that exists; a card chosen in the panel is shown here.
    """

    def __init__(self, panel: SettingsPanel) -> None:
        self._checkpoint = panel["checkpoint"]
        self._thread: threading.Thread | None = None
        self._busy = False
        options = [("all of them", "")] + [(f"{card.name}: {card.title}", card.name) for card in list_cards()]
        self.card = w.Dropdown(options=options, value="", layout=_wide())
        self.file = w.Dropdown(options=[("", "")], layout=_wide())
        self.accept = w.Checkbox(indent=False, layout=_wide())
        self.get = w.Button(button_style="primary", layout=w.Layout(width="auto"))
        self.stop = w.Button(description="Stop", layout=w.Layout(width="auto", display="none"))
        self.path = w.Text(placeholder="path of the file on this machine", continuous_update=False, layout=_wide())
        self.take = w.Button(description="Import this file", layout=w.Layout(width="auto"))
        self.upload = w.FileUpload(multiple=False, description="Upload", layout=w.Layout(width="110px"))
        self.progress = LiveProgress()
        self._about, self._terms, self._by_hand, self._message = (w.HTML() for _ in range(4))
        self._hand_box = w.Accordion([self._hand()], titles=["Without a network: bring the file by hand"])
        self.box = self._layout()
        self._connect()
        self._follow_checkpoint()

    @property
    def chosen(self) -> Card | None:
        """The card shown; None while the list is shown."""
        return get_card(self.card.value) if self.card.value else None

    @property
    def message(self) -> str:
        """Outcome of the last action, in words."""
        return html.unescape(self._message.value.partition(">")[2].rpartition("<")[0])

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the thread to finish, for scripts and tests."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def _layout(self) -> w.VBox:
        row = w.Layout(align_items="center", grid_gap="10px", flex_flow="row wrap")
        parts = [
            w.HTML(f'{STYLE}<div class="dfw"><div class="dfw-title">Published detectors</div>{_HINT}</div>'),
            w.HBox([self.card, self.file], layout=row),
            self._about,
            self._terms,
            self.accept,
            w.HBox([self.get, self.stop, self.progress.box], layout=row),
            self._message,
            self._hand_box,
        ]
        return (
            w.VBox(parts, layout=w.Layout(grid_gap="6px", overflow="visible"))
            .add_class("dfw-card")
            .add_class("dfw-published")
        )

    def _hand(self) -> w.VBox:
        self.upload.tooltip = _UPLOAD_HINT
        hint = w.HTML(f'<span class="dfw dfw-hint">{_UPLOAD_HINT}</span>')
        row = w.HBox([self.path, self.upload, self.take], layout=w.Layout(align_items="center", grid_gap="10px"))
        return w.VBox([self._by_hand, hint, row])

    def _show_card(self, _: Any = None) -> None:
        card = self.chosen
        files = whole_files(card) if card and card.files else ()
        self.file.options = [(file.name, file.name) for file in files] or [("", "")]
        self.file.layout.display = "" if len(files) > 1 else "none"
        self.accept.value, self._hand_box.selected_index = False, None
        self._about.value = _dfw(card_html(card) if card else list_html(cards_table()))
        self._show_state()

    def _show_state(self, _: Any = None) -> None:
        card = self.chosen
        wanted = with_parts(card, self.file.value) if card and card.files else []
        run = find_run(card, self.file.value) if card else None
        lacking = [item for item in wanted if card and not run and not target_path(card, item).is_file()]
        asks = bool(card) and run is None and not is_accepted(card)
        self._terms.value = _dfw(f"<b>Terms:</b> {html.escape(card.accept)}") if card and asks else ""
        self.accept.description = "I accept these terms"
        _show(self.accept, asks)
        self.get.description = "Take it as checkpoint" if run else f"Get ({sizes(lacking)})" if lacking else "Import"
        self.get.disabled = self._busy or (asks and not self.accept.value)
        self.take.disabled = self.path.disabled = self._busy or (asks and not self.accept.value)
        _show(self.get, bool(run or wanted))
        _show(self.stop, self._busy)
        _show(self._hand_box, card is not None and run is None)
        self._by_hand.value = _dfw("".join(file_html(card, item) for item in wanted)) if card else ""
        if why := why_by_hand(lacking):
            self._hand_box.selected_index = 0
        self._say(f"The file is not on this machine, and {why}. Bring it by hand, as described below." if why else "")

    def _say(self, text: str, bad: bool = False) -> None:
        kind = "dfw-bad" if bad else "dfw-good" if text.startswith("✓") else "dfw-hint"
        self._message.value = f'<span class="dfw {kind}">{html.escape(text)}</span>'

    def _repr_html_(self) -> str:
        card = self.chosen
        return wrap(card_html(card) if card else list_html(cards_table()), "dfw-card")

    def __repr__(self) -> str:
        from dfworkbench.zoo.describe import card_text, cards_text

        card = self.chosen
        return card_text(card) if card else cards_text(cards_table())

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = dict(self.box._repr_mimebundle_(**kwargs) or {})
        return bundle | {"text/plain": repr(self), "text/html": self._repr_html_()}

    # -- what happens -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self.card.observe(self._show_card, names="value")
        for control in (self.file, self.accept):
            control.observe(self._show_state, names="value")
        self._checkpoint.observe(self._follow_checkpoint, names="value")
        self.get.on_click(lambda _: self._start(self._fetch_and_import))
        self.take.on_click(lambda _: self._start(self._import_given))
        self.stop.on_click(lambda _: self.progress.stop())
        self.upload.observe(self._keep_upload, names="value")

    def _follow_checkpoint(self, _: Any = None) -> None:
        name = str(self._checkpoint.value or "")
        if name.startswith(PREFIX):
            card, file = split_name(name.removeprefix(PREFIX))
            self.card.value = card.name
            if file:
                self.file.value = file
        elif (card_name := card_of_run(name)) in [card.name for card in list_cards()]:
            self.card.value = card_name
        if not self._about.value:
            self._show_card()

    def _keep_upload(self, _: Any) -> None:
        for file in self.upload.value:
            self.path.value = str(save_upload(file["name"], bytes(file["content"])))

    def _start(self, work: Callable[[Card, str], Path]) -> None:
        card, file = self.chosen, self.file.value
        if card is None or self._busy:
            return
        self._busy = True
        self.progress.clear()
        self._show_state()
        self._thread = threading.Thread(target=self._run, args=(work, card, file), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[Card, str], Path], card: Card, file: str) -> None:
        """Runs in the thread. Every outcome is shown, because an exception raised here would go unseen."""
        try:
            folder = work(card, file)
        except StoppedError:
            self._end("Stopped. What was received is kept, and the next Get continues there.")
        except WorkbenchError as error:
            self._end(str(error), bad=True)
        except Exception as error:
            self._end(f"{type(error).__name__}: {error}", bad=True)
        else:
            self._choose(folder.name)
            self._end(f"✓ {card.title} is here as the run {folder.name}, and is the checkpoint of the panel now.")

    def _end(self, text: str, bad: bool = False) -> None:
        self._busy = False
        self.progress.clear()
        self._show_state()
        self._say(text, bad)

    def _fetch_and_import(self, card: Card, file: str) -> Path:
        if (run := find_run(card, file)) is not None:
            return run
        for item in with_parts(card, file):
            self._say(f"getting {item.name} …")
            get(card, item.name, accept=self.accept.value, progress=self.progress.bar)
        self._say("importing …")
        return run_of(card, file, accept=self.accept.value)

    def _import_given(self, card: Card, file: str) -> Path:
        text = self.path.value.strip()
        if not text:
            raise ParameterError("importing a file: no path was given. Type its path on this machine, or upload it.")
        path = find_workspace().root / Path(text).expanduser()
        self._say(f"importing {path} …")
        return import_file(card, path, accept=self.accept.value)

    def _choose(self, run: str) -> None:
        """Select a run as checkpoint; the panel's list is reloaded because it does not contain the run yet."""
        names = checkpoints()
        before = [option for option in self._checkpoint.options if option[1] in ("", None)]
        self._checkpoint.options = [*before, *zip(checkpoint_labels(names), names, strict=True)]
        self._checkpoint.value = run


def _dfw(inner: str) -> str:
    return f'<div class="dfw">{inner}</div>'


def _wide() -> w.Layout:
    return w.Layout(width="auto", flex="1 1 auto")  # one per widget: a widget is hidden through its layout


def _show(widget: Any, shown: bool) -> None:
    widget.layout.display = "" if shown else "none"
