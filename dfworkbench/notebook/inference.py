"""Notebook 03_inference: settings, the desk that scores a dropped file, held-out metrics, and annotated copies of files."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from pydantic import Field

from dfworkbench.core.errors import InputError
from dfworkbench.core.html import picture, wrap
from dfworkbench.core.safe_paths import require_below
from dfworkbench.core.workspace import explain_write, find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, Rule
from dfworkbench.evaluation.scoring.heldout import score_split
from dfworkbench.evaluation.scoring.results import FileScore, Scored
from dfworkbench.evaluation.scoring.score import score
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.evaluation.scoring.side_by_side import side_by_side
from dfworkbench.notebook.desk import file_desk
from dfworkbench.notebook.panel import SettingsPanel
from dfworkbench.notebook.published import run_of
from dfworkbench.notebook.views import auc_sentence, example_videos, metric_table
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.runs.run import Run
from dfworkbench.show.annotate import annotate, annotated_name
from dfworkbench.show.plots.scores import plot_roc, plot_scores
from dfworkbench.show.plots.tracks import plot_tracks
from dfworkbench.show.tables import ReadableTable

#: Settings that visitors of `dfworkbench app` may choose.
VISITOR_FIELDS = ("checkpoint", "frames", "rule", "crops")
_MEANING = (
    "A score is a measurement by a fallible model, not proof. It compares the faces with those that the detector was trained on, "
    "and says little about forgeries of another kind; scores of different detectors are not on one scale."
)


class InferenceSettings(ScoreSettings):
    """`ScoreSettings`, and the files to score."""

    checkpoint: str = Field(
        "",
        description="Run in checkpoints/, its best epoch, or a published detector (zoo:CARD); empty takes the run trained last.",
    )
    path: str = Field(
        "",
        description="A picture, a video or a folder; empty takes test videos of the data set.",
        json_schema_extra={"media": True},
    )
    compare: list[str] = Field(
        [], description="Further runs or published detectors (zoo:CARD) that score the same files, side by side."
    )
    rule: Rule = Field(DEFAULT_RULE, description="How the scores of all faces of a file become one number.")
    dataset: str = Field(
        "demo", description="Extracted data set whose test split gives the figures; an empty name leaves them out."
    )
    annotate: bool = Field(False, description="Also write videos with boxes and scores drawn in.")

    def scoring(self) -> ScoreSettings:
        """The subset used for scoring."""
        return ScoreSettings(**{name: getattr(self, name) for name in ScoreSettings.model_fields})

    def runs(self) -> list[str]:
        """The run of the checkpoint (by default the newest), then those in `compare`; see `published.run_of`.

        Raises:
            DataNotFoundError: There is no run; or the file of a published detector is not on this machine.
        """
        first = run_of(self.checkpoint) if self.checkpoint else Run.newest().name
        return list(dict.fromkeys([first, *map(run_of, self.compare)]))

    def files(self) -> Path | list[Path]:
        """Files to score: `path`, or one test video of each kind from the data set."""
        space = find_workspace()
        if self.path:
            return space.root / Path(self.path).expanduser()
        root = space.data / self.dataset
        two_people = root / "extras" / "two_people_one_forged.mp4"  # the demo set has one
        return example_videos(self.dataset, root) + ([two_people] if two_people.is_file() else [])


def scoring_desk(panel: SettingsPanel[InferenceSettings]) -> Any:
    """Field for a file that is scored by the panel's checkpoint and by the detectors in `compare`."""

    def work(path: Path, tell: Callable[[str], None]) -> str:
        settings, results = panel.settings, []
        for run in settings.runs():
            tell(f"{run} looks at {path.name}")
            results.append(score(path, run, settings.scoring(), progress=False))
        return _results_html(results)

    hint = "Every face is tracked through the file; each person gets a score and a timeline: orange forged, green real."
    return file_desk("A file of yours", hint, "Score it again", work)


def _results_html(results: Sequence[Scored]) -> str:
    """One file scored by one or several detectors: result cards, an explanation of the score, and a figure."""
    parts = [result._repr_html_() for result in results]
    if len(results) > 1:
        parts.append(side_by_side(results)._repr_html_())
    meaning = f'<p class="dfw-hint">{_MEANING}</p>'
    figures = "".join(picture(plot_tracks(file), f"{file.title}, over time") for file in results[0] if file.ok)
    more = f"<details><summary>As a figure for a report</summary>{figures}</details>" if figures else ""
    return "".join(parts) + wrap(meaning + more)


class HeldOut:
    """Metrics of a detector on the test split of a data set, or a sentence on why there are none.

    There are none if the data set is not extracted, or not in the form this detector needs: whole pictures for detectors of whole
    pictures, exact face boxes for DeepfakeForensics-v1.

    Args:
        loaded: The detector, as `load_detector` returns it.
        dataset: Name of the data set; "" for no figures.
        rule: How the faces of a file become one number.
    """

    def __init__(self, loaded: LoadedDetector, dataset: str, rule: Rule) -> None:
        self.rule: Rule = rule
        self.scores, self._why = None, ""
        if not dataset:
            self._why = "no data set is named. Name an extracted one as dataset."
        elif not DataSet(dataset).is_extracted:
            self._why = (
                f"the data set {dataset!r} is not extracted in this workspace. Extract one with notebook 01_data_extraction, and "
                "name it as dataset."
            )
        else:
            try:
                self.scores = score_split(loaded, dataset, "test")
            except InputError as error:
                self._why = str(error)
        self.metrics = None if self.scores is None else evaluate(self.scores, judging=Judging(rule=rule))

    def __str__(self) -> str:
        return f"No held-out figures: {self._why}" if self.metrics is None else auc_sentence(self.metrics)

    def table(self) -> ReadableTable | None:
        """All metrics at all levels; empty if there are none."""
        return None if self.metrics is None else metric_table(self.metrics)

    def figures(self) -> list[Figure]:
        """The ROC curve, and the scores of each forgery kind; empty if there are none."""
        if self.scores is None:
            return []
        return [plot(self.scores, Judging(rule=self.rule)) for plot in (plot_roc, plot_scores)]


def _target(file: FileScore) -> Path:
    """Path of its annotated copy; files of the same name from different folders are kept apart."""
    home = find_workspace().root / "report" / "annotated"
    return require_below(home / file.video_id, home, "writing annotated files").parent / annotated_name(file)


def write_annotated(scored: Scored) -> list[Path]:
    """Write annotated copies of all scored files, with boxes, numbers and timelines, below report/annotated/."""
    written = []
    shared = Counter(_target(file) for file in scored if file.ok)
    for file in scored:
        if file.ok:
            target = _target(file)
            if shared[target] > 1:  # such as x.mp4 and x.mov in one folder
                target = target.with_name(f"{file.path.name}_annotated{target.suffix}")
            with explain_write(target, "an annotated video"):
                target.parent.mkdir(parents=True, exist_ok=True)
            written.append(annotate(file, target))
    return written
