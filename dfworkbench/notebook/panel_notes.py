"""Notes below the widgets of a SettingsPanel: preset, validity of the values, batch command."""

import html

from dfworkbench.core.errors import WorkbenchError
from dfworkbench.core.settings import Settings
from dfworkbench.notebook.fields import flat_values, write_value

_COPY = (
    '<button title="Copy" onclick="navigator.clipboard.writeText(this.previousElementSibling.innerText);'
    "this.innerText='copied';setTimeout(()=>this.innerText='copy',1200)\">copy</button>"
)


def preset_words(settings: Settings | WorkbenchError) -> str:
    """Which preset the values belong to, and which differ from it; empty without presets, and while a value is refused."""
    if isinstance(settings, WorkbenchError) or not settings.presets:
        return ""
    preset, values = flat_values(settings)["preset"], settings.by_hand()
    planned = settings.preset_values(preset)
    others = ", ".join(
        f"{name} = {write_value(value)} ({preset}: {write_value(planned[name])})" for name, value in values.items()
    )
    return f"preset {preset}" + (f", except {others}" if others else "")


def preset_html(settings: Settings | WorkbenchError) -> str:
    """`preset_words` as HTML."""
    words = html.escape(preset_words(settings))
    return f'<div class="dfw"><span class="dfw-hint">{words}</span></div>' if words else ""


def message_html(message: str) -> str:
    """States that the values are valid, or what is wrong with them."""
    if message:
        return f'<div class="dfw"><span class="dfw-bad">✗ {html.escape(message)}</span></div>'
    return '<div class="dfw"><span class="dfw-good">✓ these settings are valid</span></div>'


def command_html(command: str) -> str:
    """The batch command with a copy button; empty for ""."""
    if not command:
        return ""
    hint = '<span class="dfw-hint">The same from a terminal:</span>'
    return f'<div class="dfw">{hint}<div class="dfw-command"><code>{html.escape(command)}</code>{_COPY}</div></div>'
