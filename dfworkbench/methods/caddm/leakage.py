"""Identity-leakage study of one detector: what its features reveal about people, and its AUC gap on unseen people.

After the idea of CADDM (Dong et al., CVPR 2023): a detector that was never trained to recognise people may learn it nevertheless,
because identities separate real from fake in its training set, and be misled by this elsewhere. Protocols are ours.
"""

import pandas as pd

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.sample_people import with_people
from dfworkbench.evaluation.judging.features import frozen_features
from dfworkbench.evaluation.metrics.interval import PEOPLE
from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.methods.caddm.generalisation import identity_gap
from dfworkbench.methods.caddm.identity_probe import identity_probe
from dfworkbench.methods.caddm.retrieval import retrieve
from dfworkbench.runs.checkpoints import LoadedDetector

#: Frames of each genuine video that the identity probe sees: four fifths for training.
PROBE_FRAMES = 15


def people_measures(
    detector: LoadedDetector, data: DataSet, second: DataSet | None, *, frames: int = 8, progress: bool = True
) -> list[Measure]:
    """How much the frozen features reveal about people: probes on genuine videos, retrieval of fakes' carriers and donors.

    Args:
        detector: Any detector.
        data: Data set whose genuine videos are probed (beginning against end) and whose fakes are searched.
        second: A data set with several genuine videos per person, for the probe on other videos; None to skip it.
        frames: Frames of each fake.
        progress: Whether to show bars.
    """
    genuine, features = _features(detector, data, REAL, PROBE_FRAMES, progress)
    spec = detector.input_spec
    overlap = (spec.clip_length - 1) * spec.clip_stride
    # neighbouring clips share frames: those between both parts are left out, so more of a video must be left for testing
    measures = identity_probe(features, genuine, skip=overlap, train_share=0.5 if overlap else 0.8).measures
    if second is not None:
        others, other_features = _features(detector, second, REAL, PROBE_FRAMES, progress)
        measures += identity_probe(other_features, others, protocol="other_video").measures
    fakes, fake_features = _features(detector, data, FAKE, frames, progress)
    rows = pd.concat([genuine, fakes], ignore_index=True)
    # after subtracting the fakes' own mean: the real/fake direction moves all fakes alike, which would hide who is in them
    return measures + retrieve([*features, *fake_features], rows, own_mean=True).measures


def gap_measures(
    detector: LoadedDetector,
    data: DataSet,
    unseen: pd.DataFrame,
    *,
    kinds: list[str],
    trained_on: set[str],
    frames: int,
    progress: bool = True,
) -> list[Measure]:
    """AUC on people of the training split, in frames not used for training, against AUC on people of the test split.

    The frames are from the same videos as the training frames, so memorised rooms and cameras count as well.

    Args:
        detector: Detector trained on `data`.
        data: Data set with splits.
        unseen: Its score table of the test split: real files, and fakes of `kinds`.
        kinds: Forgery kinds used for training; both sides contain these and all real files.
        trained_on: `face_id` of all training faces, see `FaceDataset.used_faces`.
        frames: Frames per video.
        progress: Whether to show bars.
    """
    of_kinds = (data.videos["label"] == REAL) | data.videos["forgery"].isin(kinds)
    fresh = data.with_tables(faces=data.faces[~data.faces["face_id"].isin(trained_on)])
    samples = fresh.samples(detector.input_spec, data.videos[of_kinds & (data.videos["split"] == "train")], frames)
    seen = score_rows(detector, samples, progress=progress)
    return identity_gap(seen, unseen, trained_on=trained_on, judging=PEOPLE).measures


def _features(
    detector: LoadedDetector, data: DataSet, label: int, frames: int, progress: bool
) -> tuple[pd.DataFrame, list]:
    samples = data.samples(detector.input_spec, data.videos[data.videos["label"] == label], frames)
    if not len(samples):  # the measures report this in their own words
        return with_people(samples.rows, data.videos), []
    return with_people(samples.rows, data.videos), [*frozen_features(detector, samples, progress=progress)]
