"""Static copies of executed notebooks: widgets are replaced by what they last showed.

A stored widget needs a running kernel or scripts from the network. The record of a run must open anywhere, so progress bars become
one line of text and panels become tables.
"""

import copy
import html
import logging
import re
from typing import Any

import nbformat

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
_TAG = re.compile(r"<[^>]+>")


def freeze_widgets(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy of an executed notebook without live widgets."""
    frozen = copy.deepcopy(notebook)
    models = frozen.metadata.pop("widgets", {}).get(STATE, {}).get("state", {})
    for cell in frozen.cells:
        if "outputs" in cell:
            cell["outputs"] = [output for output in cell["outputs"] if _freeze(output, models)]
    return frozen


def _freeze(output: dict[str, Any], models: dict[str, Any]) -> bool:
    """Freeze one output in place; False if nothing of it should be kept."""
    data = output.get("data", {})
    view = data.pop(VIEW, None)
    if view is None or "text/html" in data:
        return True
    if _is_closed_bar(models, view.get("model_id", "")):
        return False
    data["text/plain"] = _text(models, view.get("model_id", "")) or data.get("text/plain", "")
    return True


def to_html(notebook: nbformat.NotebookNode, title: str) -> str:
    """A self-contained HTML page of an executed notebook."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    exporter = HTMLExporter(config=Config({"HTMLExporter": {"embed_images": True, "theme": "light"}}))
    # nothing on the page may be fetched from elsewhere: it is read on machines without a network
    exporter.require_js_url = exporter.jquery_url = ""
    exporter.log = logging.getLogger(__name__)  # it asks for alt texts of figures, which a notebook cannot give
    exporter.log.setLevel(logging.ERROR)
    page, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
    return page


def _is_closed_bar(models: dict[str, Any], model_id: str) -> bool:
    """Whether this is a progress bar that was removed when done (tqdm's leave=False).

    This is not stored, but finished bars that stay are coloured and removed ones are not.
    """
    children = [
        child.removeprefix("IPY_MODEL_") for child in models.get(model_id, {}).get("state", {}).get("children", [])
    ]
    states = [models.get(child, {}).get("state", {}) for child in children]
    return any("Progress" in state.get("_model_name", "") and not state.get("bar_style") for state in states)


def _text(models: dict[str, Any], model_id: str) -> str:
    """Text content of a widget: its descriptions and values, and those of its children."""
    state = models.get(model_id, {}).get("state", {})
    children = [child.removeprefix("IPY_MODEL_") for child in state.get("children", [])]
    if children:
        return " ".join(filter(None, (_text(models, child) for child in children)))
    labels, index = state.get("_options_labels"), state.get("index")
    if labels and isinstance(index, int):  # a menu: the selected entry
        return f"{state.get('description', '')}: {labels[index]}".removeprefix(": ")
    kind, value, title = state.get("_model_name", ""), state.get("value", ""), state.get("description", "")
    if "Slider" in kind:
        shown = f"{value:g}" if state.get("readout", True) and isinstance(value, int | float) else ""
        return f"{title}: {shown or '(a slider, which needs a running kernel)'}".removeprefix(": ")
    words = value if isinstance(value, str) and "HTML" in kind else ""
    return html.unescape(_TAG.sub("", words)).strip()
