"""Scores as cards in a notebook: one row per person with thumbnails, a number and a timeline bar. Plain HTML, no scripts."""

import base64
import io
from html import escape

import numpy as np

from dfworkbench.core.html import note_html, wrap
from dfworkbench.core.palette import score_hex
from dfworkbench.core.timeline import spans
from dfworkbench.evaluation.scoring.aggregate import RULES
from dfworkbench.evaluation.scoring.results import FileScore, Scored, TrackScore

_MAX_CARDS = 20
_MAX_TRACKS = 12
_BAR_PX = 320


def scored_html(scored: Scored) -> str:
    """Head line and one card per file."""
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
        f'<div style="flex:1 1 386px;max-width:430px;min-width:0">{_strip_html(track)}</div>{timeline_svg(track, file)}</div>'
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


def timeline_svg(track: TrackScore, file: FileScore) -> str:
    """A bar over the length of the file: grey where the person is not seen, else coloured by fake probability.

    A picture has no time; there the bar is filled up to the probability.
    """
    words = '<text x="{x}" y="34" text-anchor="{side}" font-size="10" fill="currentColor" opacity=".65">{text}</text>'
    if file.kind != "video":
        filled = 0.0 if np.isnan(track.fake_probability) else track.fake_probability
        marks = (
            f'<rect x="0" y="4" width="{filled * _BAR_PX:.1f}" height="16" fill="{score_hex(track.fake_probability)}"/>'
        )
        marks += f'<line x1="{_BAR_PX / 2}" x2="{_BAR_PX / 2}" y1="1" y2="23" stroke="currentColor" stroke-width="1"/>'
        ends = "real", "fake"
    else:
        edges = spans(track.times) / max(file.duration_s, 1e-9)
        marks = "".join(
            f'<rect x="{a * _BAR_PX:.1f}" y="4" width="{max((b - a) * _BAR_PX, 1) + 0.6:.1f}" height="16" fill="{score_hex(p)}"/>'
            for (a, b), p in zip(np.clip(edges, 0, 1), track.probabilities, strict=True)
        )
        ends = "0 s", f"{file.duration_s:.1f} s"
    text = words.format(x=0, side="start", text=ends[0]) + words.format(x=_BAR_PX, side="end", text=ends[1])
    ground = f'<rect x="0" y="4" width="{_BAR_PX}" height="16" rx="2" fill="#8b939e" opacity=".28"/>'
    size = (
        f'viewBox="0 0 {_BAR_PX} 38" width="{_BAR_PX}" height="38"'  # with a viewBox a narrow page scales it, not cuts
    )
    return f'<svg {size} style="max-width:100%" role="img" shape-rendering="crispEdges">{ground}{marks}{text}</svg>'
