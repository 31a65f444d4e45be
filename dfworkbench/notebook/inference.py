"""Settings of notebook 03_inference: which detector looks at which files, and what is written."""

from pathlib import Path

from pydantic import Field

from dfworkbench.evaluation.annotate import annotate
from dfworkbench.evaluation.results import Scored
from dfworkbench.evaluation.settings import ScoreSettings
from dfworkbench.notebook.views import example_videos, newest_run
from dfworkbench.safe_paths import require_below
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


def write_annotated(scored: Scored) -> list[Path]:
    """Write every scored file again with boxes, numbers and timelines drawn in, below report/annotated/."""
    written = []
    for file in scored:
        if file.ok:
            # equally named videos of different forgery kinds keep apart
            home = find_workspace().root / "report" / "annotated"
            target = require_below(home / file.video_id, home, "writing annotated files").parent
            with explain_write(target, "an annotated video"):
                target.mkdir(parents=True, exist_ok=True)
            written.append(annotate(file, target))
    return written
