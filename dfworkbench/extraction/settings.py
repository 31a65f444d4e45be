"""ExtractSettings: which data set to extract, how, and on which machines."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from dfworkbench.faces.settings import FaceSettings


class ExtractSettings(FaceSettings):
    """Data set, layout, face settings, and where the work runs."""

    name: str = Field(default="demo", min_length=1, description="Name of the data set; its tables go to labels/<name>/")
    layout: str = Field(default="faceforensics", description="Folder layout of the data set")
    root: Path | None = Field(default=None, description="Folder of the data set; data/<name> if left out")
    compression: Literal["raw", "c23", "c40"] = Field(
        default="c23", description="Which compression is read, where there is a choice"
    )
    layout_options: list[str] = Field(
        default=[], description="Further options of the layout, as name=value, such as check_counts=true of list_files"
    )
    limit: int = Field(default=0, ge=0, description="Only this many videos, evenly over the table (0: all)")
    split_rule: Literal["auto", "official", "identity"] = Field(
        default="auto",
        description="Official splits, or groups of identities drawn at random (auto: official if there are)",
    )
    split_seed: int = Field(default=0, ge=0, description="Seed of the random splits")
    workers: int = Field(default=0, ge=0, description="Processes on this machine (0: one per core)")
    scheduler: str = Field(
        default="", description="Address of a running Dask scheduler (empty: processes on this machine)"
    )

    @property
    def faces(self) -> FaceSettings:
        """The face settings."""
        return FaceSettings(**{name: getattr(self, name) for name in FaceSettings.model_fields})
