"""Which errors an atlas shows, what its clusters are, and that controls are not selected."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.judging.failures import ALARM, FOUND, MISS, PASSED, cluster_errors, worst_errors
from dfworkbench.show.plots.failures import plot_failures
from dfworkbench.show.plots.style import FAKE_COLOUR, REAL_COLOUR


def table(rows):
    """Rows (video, label, method, fake probability); the frame is the place in the file."""
    frame = pd.DataFrame(rows, columns=["video_id", "label", "forgery", "fake_probability"])
    frame["frame"], frame["track"] = frame.groupby("video_id").cumcount(), 0
    frame["row_id"] = frame["video_id"] + "#" + frame["frame"].astype(str)
    frame["group"] = frame["video_id"].str[:2]
    return SCORES.complete(frame)


def random_table(seed=0, files=60, frames=4):
    rng = np.random.default_rng(seed)
    kinds = [("A", "B", "C")[n % 3] if n % 2 else "" for n in range(files)]
    return table([(f"v{n:03d}", n % 2, kinds[n], float(rng.random())) for n in range(files) for _ in range(frames)])


def test_the_most_wrong_row_of_each_file_comes_first():
    scores = table([
        ("f1", 1, "A", 0.4), ("f1", 1, "A", 0.1), ("f2", 1, "B", 0.02), ("f3", 1, "A", 0.9), ("f4", 1, "A", 0.5),
        ("r1", 0, "", 0.7), ("r2", 0, "", 0.99), ("r2", 0, "", 0.6), ("r3", 0, "", 0.2), ("u1", -1, "", 0.9),
    ])  # fmt: skip
    scores.loc[len(scores)] = {
        **scores.iloc[0],
        "row_id": "lost",
        "video_id": "f9",
        "fake_probability": np.nan,
        "status": "no_face",
    }
    errors = worst_errors(scores)
    assert errors.cases["row_id"].tolist() == ["f2#0", "f1#1", "f4#0", "r2#0", "r1#0"]  # 0.5 is not called fake
    assert errors.cases["outcome"].tolist() == [MISS] * 3 + [ALARM] * 2
    assert errors.counts.to_dict("list") == {"outcome": [MISS, ALARM], "files": [3, 2], "cases": [3, 2]}
    few = worst_errors(scores, worst=1)
    assert few.cases["row_id"].tolist() == ["f2#0", "r2#0"]
    assert few.counts["files"].tolist() == [3, 2]
    strict = worst_errors(scores, threshold=0.95)
    assert set(strict.cases["row_id"]) == {"f2#0", "f1#1", "f4#0", "f3#0", "r2#0"}


def test_controls_are_right_and_drawn_by_seed_alone():
    scores = random_table()
    first, again, other = (worst_errors(scores, controls=6, seed=seed).controls for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert first["row_id"].tolist() != other["row_id"].tolist()
    assert first["outcome"].tolist() == [FOUND] * 6 + [PASSED] * 6
    assert first["video_id"].is_unique
    assert ((first["fake_probability"] > 0.5) == (first["label"] == 1)).all()
    drawn = pd.concat([worst_errors(scores, controls=6, seed=seed).controls for seed in range(200)])
    right = scores[(scores["label"] == 1) & (scores["fake_probability"] > 0.5)]
    mean = drawn.loc[drawn["outcome"] == FOUND, "fake_probability"].mean()
    assert mean == pytest.approx(right["fake_probability"].mean(), abs=0.02)  # the surest ones are not preferred
    assert worst_errors(scores, controls=0).controls.empty


def test_few_cases_make_few_clusters():
    scores = random_table()
    found = {worst: cluster_errors(worst_errors(scores, worst=worst), clusters=3).clusters for worst in (3, 8, 11, 12)}
    assert [int((table["outcome"] == MISS).sum()) for table in found.values()] == [1, 2, 2, 3]


def test_clusters_are_those_of_the_features():
    errors = worst_errors(random_table(), worst=24)
    truth = np.random.default_rng(0).integers(0, 2, len(errors.cases))
    features = np.random.default_rng(1).normal(size=(len(truth), 40)) + 6 * truth[:, None]
    atlas = cluster_errors(errors, features, clusters=2, words="features of net")
    assert atlas.grouped_by == "features of net"
    assert atlas.clusters["outcome"].tolist() == [MISS, MISS, ALARM, ALARM]
    assert atlas.cases["cluster"].is_monotonic_increasing
    place = {row: n for n, row in enumerate(errors.cases["row_id"])}
    found = atlas.cases.assign(truth=[truth[place[row]] for row in atlas.cases["row_id"]])
    assert (found.groupby("cluster")["truth"].nunique() == 1).all()
    for _, part in atlas.clusters.groupby("outcome"):
        assert part["cases"].is_monotonic_decreasing
    assert (atlas.clusters["silhouette"] > 0.5).all()
    noise = cluster_errors(errors, np.random.default_rng(1).normal(size=(len(truth), 40)), clusters=2)
    assert (noise.clusters["silhouette"] < 0.2).all()
    pd.testing.assert_frame_equal(
        noise.cases, cluster_errors(errors, np.random.default_rng(1).normal(size=(len(truth), 40)), clusters=2).cases
    )


def test_the_silhouette_is_that_of_scikit_learn():
    errors = worst_errors(random_table(3), worst=20)
    features = np.random.default_rng(5).normal(size=(len(errors.cases), 4))
    atlas = cluster_errors(errors, features, clusters=3)
    mine = atlas.clusters[atlas.clusters["outcome"] == MISS]
    cases = atlas.cases[atlas.cases["outcome"] == MISS].set_index("row_id")
    at = errors.cases["outcome"] == MISS
    labels = cases.loc[errors.cases.loc[at, "row_id"], "cluster"]
    expected = silhouette_score(StandardScaler().fit_transform(features[at]), labels)
    assert np.average(mine["silhouette"], weights=mine["cases"]) == pytest.approx(expected)


def test_without_features_kinds_and_people_stand_together():
    rows = [(f"{'ab'[n % 2]}{n:02d}", 1, "AB"[n % 2], 0.2) for n in range(12)] + [("r0", 0, "", 0.9)]
    scores = table(rows).assign(group=lambda t: t["video_id"].str[0])
    atlas = cluster_errors(worst_errors(scores), clusters=2)
    assert atlas.grouped_by == "forgery kind, person and log-odds"
    assert sorted(atlas.clusters["kinds"]) == ["A 6", "B 6", "real 1"]
    assert atlas.clusters["people"].tolist() == [1, 1, 1]
    assert atlas.clusters["silhouette"].tolist()[:2] == pytest.approx([1, 1])
    assert np.isnan(atlas.clusters["silhouette"][2])


def test_a_detector_without_errors_has_an_empty_atlas():
    atlas = cluster_errors(worst_errors(table([("f1", 1, "A", 0.9), ("r1", 0, "", 0.1)])))
    assert atlas.cases.empty
    assert atlas.clusters.empty
    assert len(atlas.controls) == 2
    assert len(plot_failures(atlas).subfigs) == 2
    none = worst_errors(table([("f1", 1, "A", 0.9)]), controls=0)
    assert "no errors" in words(plot_failures(cluster_errors(none)))


def test_bad_requests_are_refused():
    scores = random_table()
    for changes in ({"worst": 0}, {"controls": -1}, {"threshold": 1.0}):
        with pytest.raises(ParameterError, match="looking for errors"):
            worst_errors(scores, **changes)
    with pytest.raises(InputError, match="none of 240 rows has a label and a score"):
        worst_errors(scores.assign(label=-1))
    errors = worst_errors(scores)
    with pytest.raises(ParameterError, match="0 clusters"):
        cluster_errors(errors, clusters=0)
    with pytest.raises(InputError, match=r"features of shape \(3, 2\)"):
        cluster_errors(errors, np.zeros((3, 2)))
    with pytest.raises(InputError, match="all finite"):
        cluster_errors(errors, np.full((len(errors.cases), 2), np.nan))


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def test_the_sheet_shows_every_cluster_with_labels_and_scores():
    atlas = cluster_errors(worst_errors(random_table(), controls=3), clusters=2)
    pictures = {row: np.full((8, 8, 3), 90, np.uint8) for row in atlas.cases["row_id"]}
    figure = plot_failures(atlas, pictures, shown=5, title="Errors")
    assert len(figure.subfigs) == 4 + 2
    text = words(figure)
    for row in atlas.clusters.itertuples():
        assert f"cluster {row.cluster}: {'5 of ' if row.cases > 5 else ''}{row.cases}" in text
        assert row.kinds in text
    first = atlas.cases.iloc[0]
    assert f"{first['forgery']}\n{first['fake_probability']:.3f}" in text
    assert "drawn by seed, not by score" in text
    assert f"{atlas.counts['cases'][0]} of {atlas.counts['files'][0]} files with a miss" in text
    frames = [axes.spines["left"].get_edgecolor()[:3] for part in figure.subfigs for axes in part.axes if axes.images]
    assert frames[0] == pytest.approx(to_rgb(FAKE_COLOUR))
    assert frames[-1] == pytest.approx(to_rgb(REAL_COLOUR))
    assert text.count("no\npicture") == 6  # of the controls none was given
