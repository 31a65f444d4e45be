"""DataSetWriter: writes the files of a data set while `DataSet.writing` holds it."""

import hashlib
import json
from pathlib import Path

import pandas as pd

from dfworkbench.core.names import SPLITS
from dfworkbench.core.workspace import atomic_path
from dfworkbench.datasets.dataset_files import FACE_SETTINGS, FACES, SOURCE, SPLITS_RECORD, SPLITS_TABLE, VIDEOS
from dfworkbench.datasets.domain import DOMAIN_KEY, GENERATED, UNKNOWN, is_generated
from dfworkbench.datasets.tables import write_csv, write_table
from dfworkbench.faces.settings import FaceSettings


class DataSetWriter:
    """Writes tables, splits and source of a data set; created by `DataSet.writing`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tables(self, videos: pd.DataFrame, faces: pd.DataFrame) -> None:
        """Write both tables."""
        write_table("face", faces, self._folder / FACES)
        write_table("video", videos, self._folder / VIDEOS)

    def source(self, root: Path | str, layout: str, faces: FaceSettings | None = None) -> None:
        """Record where the set came from, whether it is generated, and the settings its faces were found with."""
        root = Path(root).expanduser().absolute()  # a later command may run from another folder
        domain = GENERATED if is_generated(root) else UNKNOWN
        record: dict[str, object] = {"root": str(root), "layout": layout, DOMAIN_KEY: domain}
        self._json(SOURCE, record | ({FACE_SETTINGS: faces.model_dump(mode="json")} if faces else {}))

    def splits(self, videos: pd.DataFrame, *, rule: str, seed: int) -> str:
        """Write video_id, group and split of every video and how they were drawn; return the SHA-256 of the table."""
        table = videos[["video_id", "group", "split"]].sort_values("video_id")
        digest = hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
        counts = {split: int((videos["split"] == split).sum()) for split in (*SPLITS, "")}
        write_csv(table, self._folder / SPLITS_TABLE, "the splits")
        self._json(SPLITS_RECORD, {"sha256": digest, "rule": rule, "seed": seed, "videos": counts})
        return digest

    def _json(self, name: str, record: dict[str, object]) -> None:
        with atomic_path(self._folder / name, f"{name} of a data set") as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n")
