import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.methods.caddm.retrieval import cosines, person_ranks, retrieve

PEOPLE = 12


def swap_rows(frames=4, videos=1):
    """Genuine videos of everybody, and one fake of every person with the face of the next but one."""
    rows = []
    for p in range(PEOPLE):
        known = {"identity": f"p{p:02d}", "group": f"g{p % 6}", "track": 0}
        for f in range(frames):
            rows += [{"video_id": f"r{p}_{v}", "label": 0, "donor": "", "frame": f, **known} for v in range(videos)]
            donor = f"p{(p + 2) % PEOPLE:02d}"
            rows.append({"video_id": f"f{p}", "label": 1, "donor": donor, "frame": f, "forgery": "FaceSwap", **known})
    return pd.DataFrame(rows).fillna({"forgery": ""})


def planted(rows, role="identity", noise=0.05, seed=0, width=24, offset=0.0):
    """Features of a fake resemble those of the person in `role`; genuine ones resemble their own."""
    rng = np.random.default_rng(seed)
    who = rows["identity"].where(rows["label"] == 0, rows[role])
    own = pd.Series(range(PEOPLE), index=[f"p{p:02d}" for p in range(PEOPLE)])
    means = rng.normal(size=(PEOPLE, width))
    return means[who.map(own)] + noise * rng.normal(size=(len(rows), width)) + offset


def by_name(result):
    return {measure.name: measure for measure in result.measures}


@pytest.mark.parametrize(("role", "found", "other"), [("identity", "carrier", "donor"), ("donor", "donor", "carrier")])
def test_planted_people_are_found(role, found, other):
    rows = swap_rows()
    result = retrieve(planted(rows, role), rows, draws=100)
    measures = by_name(result)
    top = measures[f"{found} retrieved: top-1"]
    assert (top.value, top.low, top.high, top.chance, top.n) == (1.0, 0.025 ** (1 / 6), 1.0, 1 / PEOPLE, PEOPLE)
    assert measures[f"{other} retrieved: top-1"].value == 0.0
    assert measures[f"{found} retrieved: top-5"].chance == 5 / PEOPLE
    assert (result.ranks[f"{found}_rank"] == 1).all()
    assert len(result.gallery) == PEOPLE
    assert list(measures) == [f"{r} retrieved: top-{k}" for r in ("carrier", "donor") for k in (1, 5)]


def test_features_without_identity_give_chance():
    rows = swap_rows()
    rows["group"] = rows["identity"]
    trials = [
        retrieve(np.random.default_rng(s).normal(size=(len(rows), 8)), rows, draws=200, seed=s).measures
        for s in range(60)
    ]
    for measures in zip(*trials, strict=True):
        assert np.mean([m.value for m in measures]) == pytest.approx(measures[0].chance, rel=0.2)
        assert (
            np.mean([m.low <= m.chance <= m.high for m in measures]) > 0.8
        )  # 12 fakes; a bootstrap of few is too narrow


def test_both_people_in_one_face_share_the_first_two_ranks():
    rows = swap_rows()
    x = planted(rows, "identity", noise=0) + np.where(
        (rows["label"] == 1).to_numpy()[:, None], 0.8 * planted(rows, "donor", noise=0), 0
    )
    ranks = retrieve(x, rows, draws=0).ranks
    assert (ranks["carrier_rank"] + ranks["donor_rank"] == 3).all()
    assert ranks["carrier_rank"].mean() < ranks["donor_rank"].mean()


def slow_ranks(x, rows, centred, own_mean):
    """One fake and one gallery entry at a time."""
    x = np.asarray(x, dtype=float)
    gallery = {}
    for person, part in rows[rows["label"] == 0].groupby("identity"):
        gallery[person] = np.mean([x[list(v.index)].mean(0) for _, v in part.groupby("video_id")], axis=0)
    mean = np.mean(list(gallery.values()), axis=0)
    fakes = {
        v: (x[list(p.index)].mean(0), p.iloc[0]) for v, p in rows[rows["label"] == 1].groupby("video_id", sort=False)
    }
    shift = np.mean([f for f, _ in fakes.values()], axis=0) if own_mean else mean
    out = []
    for feature, row in fakes.values():
        query, similar = feature - (shift if centred else 0), {}
        for person, entry in gallery.items():
            e = entry - (mean if centred else 0)
            similar[person] = query @ e / np.linalg.norm(query) / np.linalg.norm(e)
        out.append(
            [
                1 + sum(s > similar[p] for s in similar.values()) if p in similar else np.nan
                for p in (row["identity"], row["donor"])
            ]
        )
    return np.array(out, dtype=float)


@pytest.mark.parametrize(("centred", "own_mean"), [(True, False), (False, False), (True, True)])
def test_ranks_equal_a_slow_reference(centred, own_mean):
    rows = swap_rows(frames=3, videos=2)
    rows = (
        rows[~((rows["identity"] == "p03") & (rows["label"] == 0))]
        .sample(frac=1, random_state=0)
        .reset_index(drop=True)
    )
    x = planted(rows, noise=2.5, offset=1.0).astype(np.float32)
    got = retrieve(x, rows, centred=centred, own_mean=own_mean, draws=0)
    np.testing.assert_array_equal(
        got.ranks[["carrier_rank", "donor_rank"]].to_numpy(), slow_ranks(x, rows, centred, own_mean)
    )
    assert got.left_out == {"carrier": 1, "donor": 1}
    assert got.measures[0].n == PEOPLE - 1


def test_the_order_of_the_gallery_does_not_matter():
    rows = swap_rows()
    x = planted(rows, noise=2.0)
    order = np.random.default_rng(1).permutation(len(rows))
    a, b = retrieve(x, rows, draws=50), retrieve(x[order], rows.iloc[order], draws=0)
    same = b.ranks.set_index("video_id").loc[a.ranks["video_id"]]
    assert same["carrier_rank"].tolist() == a.ranks["carrier_rank"].tolist()
    assert a.gallery == b.gallery
    assert a.measures == retrieve(x, rows, draws=50).measures


def test_centring_brings_out_people_that_a_common_part_hides():
    rows = swap_rows()
    x = planted(rows, noise=0.5) * np.linspace(0.05, 1, 24) + 300
    x = x + np.where(np.arange(24) == 0, 40 * np.random.default_rng(0).random((len(rows), 1)), 0)
    centred, plain = (
        by_name(retrieve(x, rows, centred=c, draws=0))["carrier retrieved: top-1"].value for c in (True, False)
    )
    assert centred >= plain
    one_sided = planted(rows, noise=0.1)
    one_sided[(rows["label"] == 1).to_numpy()] += 20 * np.random.default_rng(2).normal(
        size=24
    )  # all fakes lie elsewhere
    gallery, own = (
        by_name(retrieve(one_sided, rows, own_mean=o, draws=0))["carrier retrieved: top-1"].value for o in (False, True)
    )
    assert gallery < 0.5
    assert own == 1.0


def test_ties_share_the_mean_of_their_ranks():
    similar = np.array([[0.5, 0.5, 0.5, 0.5], [0.9, 0.1, 0.9, 0.0], [0.1, 0.2, 0.3, 0.4]])
    assert person_ranks(similar, np.array([2, 0, 0])).tolist() == [2.5, 1.5, 4.0]
    assert np.isnan(person_ranks(similar, np.array([-1, 0, 0]))[0])
    assert np.isnan(person_ranks(np.empty((3, 0)), np.array([-1, -1, -1]))).all()
    assert cosines(np.array([[3.0, 4], [0, 0]]), np.array([[6.0, 8], [4, -3]])) == pytest.approx(
        np.array([[1, 0], [0, 0]])
    )


def test_identities_weigh_the_same_however_many_frames_they_have():
    rows = swap_rows()
    more = rows[rows["video_id"] == "r0_0"]
    both = pd.concat([rows, more, more], ignore_index=True)
    x = planted(rows, noise=0.5)
    again = x[(rows["video_id"] == "r0_0").to_numpy()]
    a, b = retrieve(x, rows, draws=0), retrieve(np.concatenate([x, again, again]), both, draws=0)
    pd.testing.assert_frame_equal(a.ranks, b.ranks)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r[r["label"] == 0], "no fakes"),
        (lambda r: r[r["label"] == 1], "0 identities in the gallery: at least 2 are needed"),
        (lambda r: r[(r["label"] == 1) | (r["identity"] == "p00")], "1 identities in the gallery: at least 2 are needed"),
        (lambda r: r.assign(identity=r["identity"].where(r["label"] == 0, "stranger")), "no fake has its carrier there"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_has_a_reason(change, reason):
    rows = change(swap_rows())
    measure = retrieve(np.random.default_rng(0).normal(size=(len(rows), 4)), rows).measures[0]
    assert np.isnan(measure.value)
    assert measure.reason == reason


def test_constant_features_and_small_galleries_have_a_reason():
    rows = swap_rows()
    assert retrieve(np.full((len(rows), 4), 7.1), rows).measures[0].reason == "all features are constant"
    assert retrieve(np.zeros((len(rows), 4)), rows).measures[0].reason == "all features are constant"
    few = rows[(rows["label"] == 1) | (rows["identity"] < "p04")]
    top5 = retrieve(planted(few), few, draws=0).measures[1]
    assert (top5.reason, np.isnan(top5.value)) == ("4 identities: top-5 is always right", True)


def test_fakes_without_group_are_drawn_by_carrier():
    rows = swap_rows()
    x = planted(rows, noise=2.5)
    carriers = retrieve(x, rows.assign(group=rows["identity"]), draws=80).measures
    assert retrieve(x, rows.assign(group=""), draws=80).measures == carriers
    assert retrieve(x, rows.drop(columns="group"), draws=80).measures == carriers


def test_bad_inputs_say_what_is_wrong():
    rows = swap_rows()
    x = planted(rows)
    with pytest.raises(TableError, match=r"no column 'donor'.*with_people"):
        retrieve(x, rows.drop(columns="donor"))
    with pytest.raises(InputError, match="one line per row"):
        retrieve(x[:3], rows)
    with pytest.raises(InputError, match=r"got ks \(0,\)"):
        retrieve(x, rows, ks=(0,))
