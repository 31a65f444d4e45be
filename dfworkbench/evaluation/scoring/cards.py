"""HTML cards of scores for notebooks: one row per person with thumbnails, score and timeline bar. No scripts."""

import base64
import io
from html import escape

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.html import note_html, wrap
from dfworkbench.core.palette import score_hex, score_rgb
from dfworkbench.core.timeline import spans
from dfworkbench.evaluation.scoring.aggregate import RULES
from dfworkbench.evaluation.scoring.results import FileScore, Scored, TrackScore

_MAX_CARDS = 20
_MAX_TRACKS = 12
_BAR_PX, _BAR_HEIGHT_PX = 320, 16
_GROUND, _MARK = (139, 147, 158, 71), (40, 48, 56, 255)


def scored_html(scored: Scored) -> str:
    """A heading and one card per file."""
    done = sum(file.ok for file in scored)
    head = f"<b>{escape(scored.detector or 'detector')}</b>: {done} of {len(scored)} files scored"
    notes = "".join(note_html(text) for text in sorted({file.caveat for file in scored}))
    cards = "".join(_card(file, file.doubt) for file in scored.files[:_MAX_CARDS])
    return wrap(f"{head}{notes}{cards}{_more(len(scored) - _MAX_CARDS, 'files; see .summary and .table')}")


def file_html(file: FileScore) -> str:
    """One file as a card."""
    return wrap(_card(file, file.note))


def _card(file: FileScore, note: str) -> str:
    name = f"<b>{escape(file.video_id)}</b>"
    if not file.ok:
        said = f"{escape(file.without_score)}{_soft(file.reason)}{_soft(str(file.authors or ''))}"
        return f'<div class="dfw-card plain">{name} · {said}</div>'
    head = (
        f'<div style="display:flex;flex-wrap:wrap;align-items:baseline;gap:0 12px">{name}'
        f'<span class="dfw-hint" style="white-space:nowrap">{file.describe()}</span>'
        f'<span style="margin-left:auto">{_chip(file.fake_probability)}</span></div>'
        f'<div class="dfw-hint" style="text-align:right">{RULES[file.rule]}{_theirs(file)}</div>{_soft(file.notice)}'
    )
    rows = "".join(_track_html(track, file) for track in file.tracks[:_MAX_TRACKS])
    return f'<div class="dfw-card plain">{head}{note_html(note)}{rows}{_more(len(file.tracks) - _MAX_TRACKS, "tracks")}</div>'


def _theirs(file: FileScore) -> str:
    return f"<br>{escape(str(file.authors))}" if file.authors else ""


def _soft(text: str) -> str:
    return f'<div class="dfw-hint">{escape(text)}</div>' if text else ""


def _more(count: int, what: str) -> str:
    return _soft(f"… and {count} more {what}") if count > 0 else ""


def _track_html(track: TrackScore, file: FileScore) -> str:
    length = f" in {track.duration_s:.1f}\u00a0s" if file.kind == "video" else ""
    remark = f"<br>{escape(track.remark)}" if track.doubt else ""
    pale = ";opacity:.6" if track.doubt else ""
    return (
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:4px 14px;padding:5px 0;'
        f'border-top:1px solid var(--dfw-line){pale}">'
        f'<div style="width:150px"><b>track {track.track}</b> {_chip(track.fake_probability)}<br>'
        f'<span class="dfw-hint">{track.count}{length}{remark}</span></div>'
        f'<div style="flex:1 1 386px;max-width:430px;min-width:0">{_strip_html(track)}</div>{timeline_html(track, file)}</div>'
    )


def _chip(probability: float) -> str:
    text = "no score" if np.isnan(probability) else f"{probability:.2f} fake"
    ink = "#fff" if probability > 0.75 or probability < 0.2 else "#1f2933"
    return f'<span class="dfw-chip" style="background:{score_hex(probability)};color:{ink}">{text}</span>'


def _strip_html(track: TrackScore, height: int = 64) -> str:
    if not len(track.thumbnails):
        return ""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(track.pictures(), axis=1)).save(buffer, format="JPEG", quality=88)
    source = base64.b64encode(buffer.getvalue()).decode()
    look = f'alt="{track.shows}s of track {track.track}" style="max-height:{height}px;max-width:100%;border-radius:3px"'
    return f'<img {look} src="data:image/jpeg;base64,{source}">'


def timeline_html(track: TrackScore, file: FileScore) -> str:
    """Timeline bar over the length of a video: grey where the person is not visible, else coloured by fake probability.

    For a picture, the bar is filled up to the probability, with a mark at 0.5. It is a PNG, because viewers of untrusted
    notebooks (JupyterLab, GitHub) remove SVG.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.repeat(_bar_pixels(track, file)[None], 2 * _BAR_HEIGHT_PX, axis=0)).save(buffer, format="PNG")
    source = base64.b64encode(buffer.getvalue()).decode()
    video = file.kind == "video"
    words = f"timeline of track {track.track}" if video else f"probability of track {track.track}"
    seen = track.probabilities[~np.isnan(track.probabilities)]
    span = f", fake probability {seen.min():.2f} to {seen.max():.2f}" if len(seen) else ", no score"
    left, right = ("0 s", f"{file.duration_s:.1f} s") if video else ("real", "fake")
    return (
        f'<div style="width:min({_BAR_PX}px,100%)"><img alt="{words}: {track.count}{span}" width="{_BAR_PX}" '
        f'height="{_BAR_HEIGHT_PX}" style="max-width:100%;display:block" src="data:image/png;base64,{source}">'
        '<div class="dfw-hint" style="display:flex;justify-content:space-between;font-size:10px">'
        f"<span>{left}</span> <span>{right}</span></div></div>"
    )


def _bar_pixels(track: TrackScore, file: FileScore) -> NDArray[np.uint8]:
    """One row of the bar, `(2 * _BAR_PX, 4)` RGBA."""
    row = np.tile(np.array([_GROUND], dtype=np.uint8), (2 * _BAR_PX, 1))
    if file.kind == "video":
        edges = np.clip(spans(track.times) / max(file.duration_s, 1e-9), 0, 1) * len(row)
        for (start, end), rgb in zip(edges.round().astype(int), score_rgb(track.probabilities), strict=True):
            row[start : max(end, start + 2)] = (*rgb, 255)
        return row
    filled = 0.0 if np.isnan(track.fake_probability) else track.fake_probability
    row[: round(filled * len(row))] = (*score_rgb(track.fake_probability), 255)
    row[_BAR_PX - 1 : _BAR_PX + 1] = _MARK
    return row
