"""Face settings that a data set was extracted with, including sets from versions of dfworkbench that did not record them."""

import itertools

from dfworkbench.datasets.dataset import DataSet
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media.foreign import read_json

_WEIGHTS = ("off", "vggface2", "casia-webface", "auto")


def made_with(data: DataSet) -> FaceSettings | None:
    """The recorded settings; else the default ones, if the hash stored with each extracted video matches them.

    Returns:
        None if neither applies, because values other than the number of frames were changed.
    """
    if noted := data.face_settings:
        return noted
    wanted = _stored_hash(data)
    frames = int(data.faces.groupby(["video_id", "track"]).size().max()) if len(data.faces) else 0
    exact = bool(data.faces["exact"].any())
    for count, weights in itertools.product(dict.fromkeys((FaceSettings().frames, max(frames, 1))), _WEIGHTS):
        settings = FaceSettings(frames=count, identity_weights=weights, exact=exact)
        if settings.crops_hash() == wanted:
            return settings
    return None


def _stored_hash(data: DataSet) -> str:
    """The settings hash in the part file of one video; "" if there is none."""
    parts = data.crops_root / data.name / ".parts"
    for file in sorted(parts.glob("*.json")):
        try:
            return str(read_json(file)["key"][-1])
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            continue
    return ""
