"""Study: base class of every paper's study, with its data set, test split, trained detectors and scores."""

from functools import cached_property
from typing import Generic, Protocol, TypeVar

import pandas as pd

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector

SEEN, UNSEEN = "trained kinds", "other kinds"


class StudySettings(Protocol):
    """Protocol of the settings that every study has."""

    @property
    def dataset(self) -> str:
        """Data set that its detectors are trained and tested on."""
        ...

    @property
    def device(self) -> str:
        """Where to compute, see `choose_device`."""
        ...


S = TypeVar("S", bound=StudySettings)


class Study(Generic[S]):
    """Base class of studies: trained detectors, and measurements on people they have not seen.

    Args:
        settings: Settings that name the data set and the runs, which must be trained.
        workspace: Workspace of both; found from the current folder if omitted.
        progress: Whether to show progress bars.

    Raises:
        DataNotFoundError: The data set was not extracted, or has no splits.
    """

    def __init__(self, settings: S, workspace: Workspace | None = None, *, progress: bool = True) -> None:
        self.settings, self.progress = settings, progress
        self.workspace = workspace or find_workspace()
        self.data = DataSet.open(settings.dataset, self.workspace)
        self.data.require_splits()

    @cached_property
    def test(self) -> pd.DataFrame:
        """The video table of the test split."""
        return self.data.split("test")

    def load(self, run: str, epoch: int | None = None) -> LoadedDetector:
        """The detector of a run at its best epoch, or at a given one."""
        return load_detector(run, self.settings.device, epoch=epoch, workspace=self.workspace)

    def score(self, detector: LoadedDetector, frames_per_video: int, other: DataSet | None = None) -> pd.DataFrame:
        """Score table of the test split, or of a whole other data set."""
        data, videos = (self.data, self.test) if other is None else (other, other.videos)
        samples = data.samples(detector.input_spec, videos, frames_per_video)
        return score_rows(detector, samples, videos=videos, progress=self.progress)

    def conditions(
        self, detector: LoadedDetector, kinds: list[str], frames_per_video: int, other: DataSet | None = None
    ) -> dict[str, pd.DataFrame]:
        """Score tables of unseen people with fakes of the trained kinds, of the other kinds, and of another data set.

        Args:
            detector: Trained on `kinds`.
            kinds: Forgery kinds; empty for all.
            frames_per_video: Faces per video that are scored.
            other: Another data set, scored completely; None for none.

        Returns:
            `SEEN`, `UNSEEN` and the name of `other` -> score table; conditions of this data set without fakes are omitted.
        """
        table = self.score(detector, frames_per_video)
        tables = {name: table[in_condition(name, table, kinds)] for name in (SEEN, UNSEEN)}
        tables = {name: rows for name, rows in tables.items() if (rows["label"] == FAKE).any()}
        return tables if other is None else tables | {other.name: self.score(detector, frames_per_video, other)}


def in_condition(condition: str, rows: pd.DataFrame, kinds: list[str]) -> pd.Series:
    """Which rows, or videos, belong to `SEEN` or `UNSEEN`: all real ones, and fakes of `kinds` (none: all) or of others."""
    trained = rows["forgery"].isin(kinds or rows["forgery"].unique())
    return (rows["label"] == REAL) | (trained if condition == SEEN else ~trained)
