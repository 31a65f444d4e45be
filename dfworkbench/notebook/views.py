"""Small tables and sentences about a workspace for notebooks, and example files to try."""

import html
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.html import LEFT, wrap
from dfworkbench.core.names import FAKE, REAL, STATUS_OK, require_name
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets import LAYOUTS
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import training_data
from dfworkbench.evaluation.metrics.evaluate import lost_intervals, row_interval, table_notes
from dfworkbench.evaluation.scoring.origin import split_figures
from dfworkbench.show.tables import ReadableTable
from dfworkbench.zoo.describe import input_text

_METRICS = {
    "auc": "AUC",
    "eer": "EER",
    "average_precision": "AP",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "partial_auc": "AUC up to 10 % FPR",
    "tpr_at_5_percent_fpr": "TPR at 5 % FPR",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "calibration error",
    "aurc": "AURC",
}


def card_html(layout: str) -> HTML:
    """Card of a dataset layout: description, origin, licence and pitfalls."""
    require_name("dataset layout", layout, LAYOUTS)
    card = LAYOUTS[layout].card
    rows = {"what": card.what, "from": card.home, "licence": card.licence}
    body = "".join(
        f"<tr><td{LEFT}><b>{name}</b></td><td{LEFT}>{html.escape(text)}</td></tr>" for name, text in rows.items()
    )
    traps = "".join(f"<li>{html.escape(trap)}</li>" for trap in card.traps)
    body += (
        f"<tr><td{LEFT}><b>traps</b></td><td{LEFT}><ul style='margin:0;padding-left:16px'>{traps}</ul></td></tr>"
        if traps
        else ""
    )
    return HTML(wrap(f'<div class="dfw-title">{html.escape(card.title)}</div><table>{body}</table>', "dfw-card"))


def status_table(videos: pd.DataFrame) -> ReadableTable:
    """Outcome of an extraction: one row per file status, with the first reason."""
    groups = videos.groupby("status", sort=False)
    table = groups.agg(
        files=("video_id", "size"), tracks=("tracks", "sum"), faces=("faces", "sum"), reason=("reason", "first")
    )
    table[["tracks", "faces"]] = table[["tracks", "faces"]].clip(lower=0)  # -1 means "unknown"
    return ReadableTable(table.sort_values("files", ascending=False).rename_axis("status"))


def mask_sentence(faces: pd.DataFrame) -> str:
    """How often the data set's own masks were needed to identify the forged face."""
    from dfworkbench.datasets.rows import mask_report

    frames, changed = mask_report(faces)
    if not frames:
        return "No frame that has a forgery mask shows several faces."
    return (
        f"{frames} frames that have a forgery mask show several faces. In {changed} of them ({changed / frames:.0%}) the "
        "forged face is not the largest one: there the mask changed the choice."
    )


def workspace_table(workspace: Workspace | None = None) -> ReadableTable:
    """The folders of a workspace: what they are for, and what they contain now."""
    space = workspace or find_workspace()
    folders = {
        "data": "data sets: generated here, or linked from elsewhere",
        "labels": "per data set: video table, face table, splits",
        "extracted": "per data set: lossless face crops",
        "checkpoints": "per run: weights, history, scores, provenance",
        "report": "executed notebooks",
        "weights": "published detectors: their files, as the authors released them",
    }
    rows = []
    for name, meaning in folders.items():
        files = [file for file in (space.root / name).rglob("*") if file.is_file() and file.name != "README.md"]
        size = sum(file.stat().st_size for file in files) / 1e6
        rows.append(
            {"folder": f"{name}/", "what belongs there": meaning, "files now": len(files), "MB now": round(size, 1)}
        )
    return ReadableTable(pd.DataFrame(rows).set_index("folder"))


def sample_crops(
    dataset: str, count: int = 24, workspace: Workspace | None = None
) -> tuple[list[np.ndarray], list[int], list[str]]:
    """Face crops of an extracted data set, one per video, evenly over its table.

    Returns:
        Pictures `(S, S, 3)` uint8 RGB of different sizes; labels; and a word for each ("real" or the forgery kind).
    """
    from dfworkbench.media import read_image

    data = DataSet.open(dataset, workspace)
    videos, faces = data.videos.set_index("video_id"), data.faces.drop_duplicates("video_id")
    if faces.empty:
        raise DataNotFoundError(
            f"showing faces of {dataset!r}: none were found. Lower min_face_px or min_probability in 01, or set "
            "crops=true there if the pictures are face crops already."
        )
    rows = faces.iloc[np.unique(np.linspace(0, len(faces) - 1, count).round().astype(int))]
    known = videos.loc[rows["video_id"]]
    words = [
        method or {REAL: "real", FAKE: "fake"}.get(label, "?")
        for method, label in zip(known["forgery"], known["label"], strict=True)
    ]
    return [read_image(data.crops_root / path) for path in rows["crop_path"]], known["label"].tolist(), words


def metric_table(metrics: pd.DataFrame) -> ReadableTable:
    """The result of `evaluation.evaluate` as a readable table: one row per level, "value [low, high]" per metric.

    Warnings, and reasons for missing intervals, are in a last column.
    """
    rows = {}
    for level, part in metrics.groupby("level", sort=False):
        notes = " ".join([*table_notes(metrics), *lost_intervals(part)])
        first = part.iloc[0]
        row: dict[str, str] = {"n": f"{first['n']} ({first['n_fake']} fake)", "coverage": f"{first['coverage']:.0%}"}
        for item in part.itertuples():
            row[_METRICS.get(str(item.metric), str(item.metric))] = row_interval(item).text()
        rows[level] = row | ({"note": notes} if notes else {})
    return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").fillna("").rename_axis("level"))


def auc_sentence(metrics: pd.DataFrame, level: str = "video") -> str:
    """The headline figure of `evaluation.evaluate`, with all warnings that belong to it."""
    row = metrics[(metrics["level"] == level) & (metrics["metric"] == "auc")].iloc[0]
    if np.isnan(row["value"]):
        return " ".join([f"The {level} AUC is not defined: {row['reason']}.", *table_notes(metrics)])
    why = f" ({row['reason']})" if row["reason"] else ""
    interval = why if np.isnan(row["low"]) else f", 95 % interval {row['low']:.3f} to {row['high']:.3f}"
    notes = table_notes(metrics)
    # a note says that the weights may have seen these files, or their people
    head = f"{level} AUC, perhaps not held out," if notes else f"Held-out {level} AUC"
    counted = "files" if level == "video" else f"{level}s"  # a picture data set has files too, but no videos
    sentence = f"{head} {row['value']:.3f}{interval}, from {row['n']} {counted} ({row['n_fake']} of them forged)."
    return " ".join([sentence[0].upper() + sentence[1:], *notes])


def example_videos(dataset: str, root: Path, per_kind: int = 1, split: str = "test") -> list[Path]:
    """Some real and some forged videos of a split, covering every forgery kind, of different people where possible."""
    videos = DataSet.open(dataset).videos
    videos = videos[(videos["split"] == split) & (videos["status"] == STATUS_OK) & videos["label"].isin((REAL, FAKE))]
    if videos.empty:
        raise DataNotFoundError(
            f"looking for examples: data set {dataset!r} has no readable videos in its {split} split."
        )
    # the i-th kind takes the i-th video, so that one person is not shown six times
    chosen = [
        rows.iloc[(i + k) % len(rows)] for i, (_, rows) in enumerate(videos.groupby("forgery")) for k in range(per_kind)
    ]
    return [root / row["path"] for row in chosen]


def checkpoint_table(loaded: Any) -> ReadableTable:
    """Facts about a detector (`checkpoints.LoadedDetector`): what it is, its training data, its input."""
    spec = loaded.input_spec
    origin = loaded.provenance
    clips = f"clips of {spec.clip_length}: " if spec.clip_length > 1 else ""
    commit = (origin.get("git_commit") or "not known")[:10] + (
        " with uncommitted changes" if origin.get("git_dirty") else ""
    )
    rows = {
        "file": f"{loaded.path.parent.name}/{loaded.path.name}",
        "detector": f"{loaded.name}, {sum(p.numel() for p in loaded.detector.parameters()):,} parameters",
        **_training_rows(loaded),
        "is fed with": clips + input_text(spec),
        "made with": f"dfworkbench {origin.get('dfworkbench', '?')}, commit {commit}"
        + (f", seed {origin['seed']}" if "seed" in origin else ""),  # imported weights have none
    }
    return ReadableTable({"": rows})


def _training_rows(loaded: Any) -> dict[str, str]:
    record, epochs = loaded.metadata, loaded.provenance.get("settings", {}).get("epochs", "?")
    if source := loaded.provenance.get("source"):
        card = source.get("card") or {}
        theirs = {"published as": card["title"], "licence of the weights": card["licence_weights"]} if card else {}
        data = f"{card['trained_on']}, by its authors" if card else "not known"
        return {
            **theirs,
            "imported from": f"{source['file']} ({source['kind']}), SHA-256 {source['sha256'][:12]}…",
            "trained on": f"{data}: no data set here is certain to be held out",
        }
    words = training_data(record) or loaded.trained_on or "not known"
    tested = "; ".join(f"{name}: AUC {auc}" for name, auc in split_figures(loaded).items())
    return {
        "trained on": f"{words}; method {record.get('method', 'not known')}",
        "epoch": f"{record.get('epoch', '?')} of {epochs}, the best by validation",
        "validation": ", ".join(
            f"{name.replace('_', ' ')} {value:.3f}"
            for name, value in record.get("metrics", {}).items()
            if value is not None
        ),
        **({"test splits": tested} if tested else {}),
    }
