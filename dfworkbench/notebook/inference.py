"""Settings of notebook 03_inference: which detector looks at which files, and what is written."""

from collections import Counter
from pathlib import Path

from pydantic import Field

from dfworkbench.evaluation.annotate import annotate, annotated_name
from dfworkbench.evaluation.results import FileScore, Scored
from dfworkbench.evaluation.settings import ScoreSettings
from dfworkbench.notebook.views import example_videos, newest_run
from dfworkbench.workspace import explain_write, find_workspace


class InferenceSettings(ScoreSettings):
    """`ScoreSettings`, and what to score with them."""

    checkpoint: str = Field("", description="Run in checkpoints/, its best epoch; empty takes the run trained last.")
    path: str = Field(
        "",
        description="A picture, a video or a folder; empty takes test videos of the data set.",
        json_schema_extra={"media": True},
    )
    dataset: str = Field("demo", description="Extracted data set whose test split gives the figures.")
    annotate: bool = Field(False, description="Also write videos with boxes and scores drawn in.")

    def scoring(self) -> ScoreSettings:
        """The part that scoring takes."""
        return ScoreSettings(**{name: getattr(self, name) for name in ScoreSettings.model_fields})

    def run(self) -> str:
        """The checkpoint, or the newest one."""
        return self.checkpoint or newest_run()

    def files(self) -> Path | list[Path]:
        """What to score: `path`, or one test video of each kind from the data set."""
        space = find_workspace()
        if self.path:
            return space.root / Path(self.path).expanduser()
        root = space.data / self.dataset
        two_people = root / "extras" / "two_people_one_forged.mp4"  # the demo set has one
        return example_videos(self.dataset, root) + ([two_people] if two_people.is_file() else [])


def _target(file: FileScore) -> Path:
    """Where its annotated copy goes; equally named files of different folders keep apart."""
    folder = (find_workspace().root / "report" / "annotated" / file.video_id).parent
    return folder / annotated_name(file)


def write_annotated(scored: Scored) -> list[Path]:
    """Write every scored file again with boxes, numbers and timelines drawn in, below report/annotated/."""
    written = []
    shared = Counter(_target(file) for file in scored if file.ok)
    for file in scored:
        if file.ok:
            target = _target(file)
            if shared[target] > 1:  # such as x.mp4 and x.mov of one folder
                target = target.with_name(f"{file.path.name}_annotated{target.suffix}")
            with explain_write(target, "an annotated video"):
                target.parent.mkdir(parents=True, exist_ok=True)
            written.append(annotate(file, target))
    return written
