import json

import pandas as pd
import pytest

from dfworkbench.core.errors import ParameterError, SplitLeakError
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets import assign_splits, check_splits, identity_groups
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.tables import VIDEOS


def table(rows):
    """(path, carrier, donor, split) rows as a video table with groups."""
    videos = VIDEOS.complete(
        [
            {
                "video_id": f"d/{p}",
                "dataset": "d",
                "path": p,
                "label": int(bool(donor)),
                "carrier": c,
                "donor": donor,
                "split": s,
            }
            for p, c, donor, s in rows
        ]
    )
    videos["group"] = identity_groups(videos)
    return videos


@pytest.fixture
def pairs():
    rows = []
    for i in range(0, 40, 2):
        a, b = f"d/{i:03d}", f"d/{i + 1:03d}"
        rows += [(f"{i}", a, "", ""), (f"{i + 1}", b, "", ""), (f"{i}_{i + 1}", a, b, ""), (f"{i + 1}_{i}", b, a, "")]
    return table(rows)


def test_groups_are_connected_components():
    videos = table(
        [("a", "A", "", ""), ("ab", "A", "B", ""), ("cb", "C", "B", ""), ("d", "D", "", ""), ("?", "", "", "")]
    )
    groups = videos.set_index("path")["group"]
    assert groups["a"] == groups["ab"] == groups["cb"] == "A"
    assert groups["d"] == "D"
    assert groups["?"] == "d/?"


def test_identities_never_cross_splits(pairs):
    for seed in range(20):
        videos = assign_splits(pairs, "identity", seed=seed)
        assert videos.groupby("group")["split"].nunique().eq(1).all()
        check_splits(videos)
        shares = videos["split"].value_counts(normalize=True)
        assert abs(shares["train"] - 0.7) < 0.06
        assert set(shares.index) == {"train", "val", "test"}


def test_same_seed_same_bytes_and_another_seed_another_split(pairs, tmp_path):
    digests = []
    for i, seed in enumerate((1, 1, 2)):
        with DataSet(str(i), Workspace(tmp_path)).writing("splitting") as writer:
            digests.append(writer.splits(assign_splits(pairs, "identity", seed=seed), rule="identity", seed=seed))
    assert digests[0] == digests[1] != digests[2]
    assert (tmp_path / "labels" / "0" / "splits.csv").read_bytes() == (
        tmp_path / "labels" / "1" / "splits.csv"
    ).read_bytes()
    assert json.loads((tmp_path / "labels" / "0" / "splits.json").read_text())["sha256"] == digests[0]


def test_row_order_does_not_matter(pairs):
    shuffled = pairs.sample(frac=1, random_state=3)
    a = assign_splits(pairs, "identity").set_index("video_id")["split"]
    b = assign_splits(shuffled, "identity").set_index("video_id")["split"]
    pd.testing.assert_series_equal(a, b.reindex(a.index))


def test_celebdf_example_stays_together():
    videos = table([("1", "id23", "id29", ""), ("2", "id23", "id2", ""), ("3", "id5", "", ""), ("4", "id6", "", "")])
    split = assign_splits(videos, "identity").set_index("path")["split"]
    assert split["1"] == split["2"]


def test_official_splits_are_kept_and_checked():
    videos = table([("a", "A", "", "train"), ("b", "B", "", "test"), ("c", "C", "", "")])
    assert list(assign_splits(videos)["split"]) == ["train", "test", ""]
    leaking = table([("a", "A", "", "train"), ("ab", "A", "B", "test")])
    with pytest.raises(SplitLeakError, match=r"1 identity.*'A' in test, train"):
        assign_splits(leaking)


def test_refusals(pairs):
    with pytest.raises(ParameterError, match="no split files"):
        assign_splits(pairs, "official")
    with pytest.raises(ParameterError, match="add up to 1"):
        assign_splits(pairs, "identity", shares=(0.5, 0.1, 0.1))
    with pytest.raises(ParameterError, match="at least 3 identity groups"):
        assign_splits(pairs.iloc[:4], "identity")


def pictures(counts, groups=None):
    """Generated pictures of each kind; each is its own group unless `groups` names how many share one."""
    rows = [
        {"video_id": f"d/{kind}/{i}", "dataset": "d", "path": f"{kind}/{i}", "label": int(kind != "real"),
         "forgery": "" if kind == "real" else kind, "carrier": f"d/p{i // groups}" if groups else ""}
        for kind, count in counts.items() for i in range(count)
    ]  # fmt: skip
    videos = VIDEOS.complete(rows)
    return videos.assign(group=identity_groups(videos))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("counts", "groups"),
    [
        ({"real": 200, "rare": 7, "common": 120, "other": 40}, None),
        ({"real": 3, "a": 3, "b": 3}, None),
        ({"real": 100, "a": 100, "b": 20}, 4),  # b only of the first five people
    ],
)
def test_every_generator_has_its_share_in_every_split(counts, groups, seed):
    videos = assign_splits(pictures(counts, groups), "identity", seed=seed)
    kinds = videos["forgery"].where(videos["label"] == 1, "real")
    found = pd.crosstab(kinds, videos["split"])
    assert (found[["train", "val", "test"]] > 0).all(axis=None)
    size = groups or 1
    for kind, count in counts.items():
        for split, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
            assert abs(found.loc[kind, split] - share * count) <= 1.5 * size
    check_splits(videos)
