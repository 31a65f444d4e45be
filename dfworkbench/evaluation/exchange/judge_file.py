"""`dfworkbench judge`: metrics of a score file in any supported format, with intervals, coverage and warnings."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
from pydantic import Field, ValidationInfo, field_validator

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.settings import Settings
from dfworkbench.datasets.tables import NOTES
from dfworkbench.evaluation.exchange.deepfakebench import pool_by_folder_name
from dfworkbench.evaluation.exchange.interchange import FORMATS, Format, read_scores, score_format
from dfworkbench.evaluation.exchange.score_columns import ROLES
from dfworkbench.evaluation.exchange.unpack import unpacked
from dfworkbench.evaluation.metrics.compare import drawn_metric
from dfworkbench.evaluation.metrics.evaluate import evaluate, metrics_text
from dfworkbench.evaluation.metrics.interval import Judging, Missing
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, RULES, Rule


class JudgeSettings(Settings):
    """How a score file is read, and how its metrics are computed."""

    format: Format = Field(
        default="auto", description="Format of the file: " + "; ".join(f"{k}: {v}" for k, v in FORMATS.items())
    )
    polarity: Literal["fake", "real"] = Field(default="fake", description="What a high score means in a plain CSV.")
    scale: Literal["probability", "percent", "logit"] = Field(
        default="probability", description="Scale of the scores of a plain CSV: 0 to 1, 0 to 100, or log-odds."
    )
    fake_label: int = Field(default=1, ge=0, le=1, description="Label that means fake in a plain CSV; true is 1.")
    columns: list[str] = Field(
        default=[], description=f"Columns of a plain CSV, as role=header; roles: {', '.join(ROLES)}."
    )
    frames_in_folders: bool = Field(
        default=False, description="Paths in a plain CSV are frames, and their folder is the video."
    )
    where: list[str] = Field(
        default=[],
        description="Rows to select, as column=value, such as model=xception; several columns must all match.",
    )
    labels: Path | None = Field(
        default=None,
        description="CSV file with a path (or video_id) and a label for each file, for scores without labels.",
    )
    rule: Rule = Field(
        default=DEFAULT_RULE,
        description="File score: " + "; ".join(f"{name}: {words}" for name, words in RULES.items()),
    )
    missing: Missing = Field(
        default="drop", description="What rows without a score count as; the coverage is always shown."
    )
    unit: Literal["video", "group"] = Field(
        default="video", description="What the bootstrap resamples: videos, or identity groups if the file names them."
    )
    draws: int = Field(default=1000, ge=0, le=100_000, description="Number of bootstrap resamples; 0 for no intervals.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Random seed of the bootstrap.")
    detectors: list[str] = Field(
        default=[],
        description="Detector columns to audit, as headers or patterns such as prob_*; :real, :logit or :percent after "
        "one states what its scores mean.",
    )
    same_source: list[str] = Field(
        default=[],
        description="Names of the same source, as NAME=OTHER,OTHER; names are never merged by guessing. For audits.",
    )
    audit: Path | None = Field(default=None, description="Output folder of the audit: a page and audit.json.")
    cluster_draws: int = Field(
        default=20_000,
        ge=0,
        le=1_000_000,
        description="Number of bootstrap draws of sources and generators in an audit; 0 for none.",
    )

    @property
    def judging(self) -> Judging:
        """How metrics are computed, for any level."""
        return Judging(rule=self.rule, missing=self.missing, unit=self.unit, draws=self.draws, seed=self.seed)

    @property
    def audits(self) -> bool:
        """Whether an audit is requested."""
        return bool(self.detectors or self.same_source or self.audit is not None)

    @property
    def equal_sources(self) -> dict[str, str]:
        """Name -> name of the source it is merged into."""
        out: dict[str, str] = {}
        source = ""
        for text in self.same_source:  # commas separate both the names of a source and the sources
            first, sign, rest = text.partition("=")
            source = first.strip() if sign else source
            out |= {name.strip(): source for name in (rest if sign else text).split(",") if name.strip()}
        return out

    @field_validator("same_source")
    @classmethod
    def _begin_with_a_source(cls, values: list[str]) -> list[str]:
        if values and "=" not in values[0]:
            raise ValueError(f"{values[0]!r} is not NAME=OTHER,OTHER, such as lavdf=lavdf_audio,lavdf_video")
        return values

    @field_validator("columns", "where")
    @classmethod
    def _are_pairs(cls, values: list[str], info: ValidationInfo) -> list[str]:
        kind = "role=header pair, such as score=model_a" if info.field_name == "columns" else "column=value pair"
        for value in values:
            if "=" not in value:
                raise ValueError(f"{value!r} is not a {kind}")
        return values


class Judgement(NamedTuple):
    """Metrics of a score file.

    Attributes:
        scores: The score table (`tables.SCORES`).
        metrics: From `metrics.evaluate`.
        notes: Remarks that accompany the metrics.
    """

    scores: pd.DataFrame
    metrics: pd.DataFrame
    notes: list[str]

    def __str__(self) -> str:
        return "\n".join([metrics_text(self.metrics), *self.notes])


def judge(path: Path | str, settings: JudgeSettings | None = None) -> Judgement:
    """Read a score file in any supported format and compute its metrics on every level that it has.

    Args:
        path: The file; of DeepfakeBench also the folder.
        settings: How it is read and judged.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It cannot be understood.
        ParameterError: A setting does not apply to the file.
    """
    chosen = settings or JudgeSettings()
    with unpacked(path) as plain_path:
        return _judge(plain_path, chosen)


def _judge(path: Path, chosen: JudgeSettings) -> Judgement:
    kind = score_format(path) if chosen.format == "auto" else chosen.format
    plain: dict[str, Any] = {
        name: getattr(chosen, name) for name in ("polarity", "scale", "fake_label", "frames_in_folders")
    }
    columns = dict(pair.split("=", 1) for pair in chosen.columns)
    scores = read_scores(
        path,
        kind,  # pyright: ignore[reportArgumentType]
        columns=columns,
        where=chosen.where,
        labels=chosen.labels,
        **plain,
    )
    _require_labels(scores, path)
    levels, level_notes = _levels(scores, chosen.labels is not None)
    metrics = evaluate(scores, levels, chosen.judging)
    notes = [f"rule: {RULES[chosen.rule]}; rows without score: {chosen.missing}"]
    notes += [f"NOTE: {note}" for note in (*scores.attrs.get(NOTES, ()), *level_notes)]
    notes += _unlabelled_note(scores, chosen) + _polarity_note(metrics, kind, chosen)
    return Judgement(scores, metrics, notes + (_pooling_note(scores) if kind == "deepfakebench" else []))


def _require_labels(scores: pd.DataFrame, path: Path | str) -> None:
    if not scores["label"].isin((REAL, FAKE)).any():
        raise TableError(
            f"judging {path}: none of its {len(scores)} rows has a label, as where files were scored that nobody has labelled. "
            "Expected real or fake for some: give --labels FILE, a CSV with the columns path and label. Names of folders are not "
            "taken for labels."
        )


def _levels(scores: pd.DataFrame, labelled_files: bool) -> tuple[list[str], list[str]]:
    """The distinct levels of this table, and why one is left out."""
    frames = scores.duplicated(["video_id", "track"]).any()
    tracks = scores.groupby("video_id")["track"].nunique().max() > 1
    if labelled_files and tracks:  # a forged video may also show real people
        return ["video"], ["labels were given for files, and some hold several people: judged on video level only"]
    return [*(["frame"] if frames else []), *(["track"] if tracks else []), "video"], []


def _unlabelled_note(scores: pd.DataFrame, settings: JudgeSettings) -> list[str]:
    without = ~scores["label"].isin((REAL, FAKE))
    if settings.labels is not None or not without.any():  # a label file adds its own notes
        return []
    files = scores.loc[without, "video_id"].nunique()
    return [f"NOTE: {int(without.sum())} of {len(scores)} rows ({files} files) have no label, and do not count"]


def _polarity_note(metrics: pd.DataFrame, kind: str, settings: JudgeSettings) -> list[str]:
    row = metrics[metrics["metric"] == "auc"].iloc[-1]
    if not (row["high"] < 0.5 or (row["value"] < 0.5 and pd.isna(row["low"]))):  # no interval: use the value
        return []
    below = f"NOTE: the AUC of {row['value']:.3f} is below chance: real files score higher than fakes."
    number = f"fake label {settings.fake_label} (fakes have the number {settings.fake_label})"
    if kind != "csv":
        labels = (
            f" Labels were read with {number}: if that is wrong, state {1 - settings.fake_label}."
            if settings.labels
            else ""
        )
        return [
            f"{below} This format says what its scores mean: the detector errs, or the file breaks its format.{labels}"
        ]
    other = "real" if settings.polarity == "fake" else "fake"
    return [
        f"{below} The file was read with polarity {settings.polarity} (a high score means {settings.polarity}) and {number}. If "
        f"one of the two is wrong, state polarity {other} or fake label {1 - settings.fake_label}; otherwise the detector errs."
    ]


def _pooling_note(scores: pd.DataFrame) -> list[str]:
    pooled, videos = pool_by_folder_name(scores), scores["video_id"].nunique()
    if len(pooled) == videos:
        return []
    theirs, ours = (
        drawn_metric("video AUC", table, Judging(rule="mean", draws=0))[0].value for table in (pooled, scores)
    )
    return [
        f"NOTE: DeepfakeBench takes the {videos} videos for {len(pooled)}, because folders share names; its video AUC is "
        f"{theirs:.3f}, that of the videos (mean over frames, as there) {ours:.3f}."
    ]
