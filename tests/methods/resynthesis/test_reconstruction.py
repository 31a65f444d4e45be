"""Error maps of a re-synthesis detector, what their means tell, and robustness of any detector on an extracted set."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from dfworkbench.core.errors import InputError, ParameterError, TableError, UnknownNameError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.perturb.frank_perturbations import FRANK_2020
from dfworkbench.datasets.perturb.perturbations import PERTURBATIONS, Perturb
from dfworkbench.evaluation.judging.robustness import frank_auc, frank_scores, robustness, robustness_of
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.scoring.ensemble import mean_scores
from dfworkbench.methods.resynthesis import degradation
from dfworkbench.methods.resynthesis.network import Resynthesis
from dfworkbench.methods.resynthesis.reconstruction import (
    compare_kinds,
    picture_errors,
    reconstruction_errors,
    resynthesised,
)
from dfworkbench.methods.resynthesis.spectra import azimuthal_average, peak_excess
from dfworkbench.models import build_detector
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import LoadedDetector

TINY = {"size_px": 32, "alignment": "box", "depth": 18, "features": 8, "blocks": 2, "layers": 2}


@pytest.fixture(scope="module")
def fused():
    torch.manual_seed(0)
    return Resynthesis((0, 5), **TINY)


@pytest.fixture
def data(toy):
    return DataSet.open("toy", toy)


def pictures(count, size=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, size, size), dtype=np.uint8)


def test_error_maps_are_means_of_the_residual_whatever_the_batch(fused):
    images = pictures(5)
    maps = reconstruction_errors(fused, images, batch_size=2)
    assert {stage: found.shape for stage, found in maps.items()} == {0: (5, 32, 32), 5: (5, 2, 2)}
    x = torch.from_numpy(images).float() / 255
    with torch.no_grad():
        low = x.reshape(5, 3, 8, 4, 8, 4).mean(dim=(3, 5))
        made = fused.resynthesiser(low)
        deep = (fused.vgg(made)[4] - fused.vgg(x)[4]).abs().mean(dim=1)
    assert maps[0] == pytest.approx((made - x).abs().mean(dim=1).numpy(), abs=1e-6)
    assert maps[5] == pytest.approx(deep.numpy(), rel=1e-3, abs=1e-6)
    assert maps[0].dtype == np.float32
    again = reconstruction_errors(fused, torch.from_numpy(images), batch_size=5)
    assert again[0] == pytest.approx(maps[0], abs=1e-6)


def test_stages_and_sizes_may_differ_from_those_of_the_detector(fused):
    maps = reconstruction_errors(fused, pictures(2, 48), stages=(1, 3))
    assert {stage: found.shape for stage, found in maps.items()} == {1: (2, 48, 48), 3: (2, 12, 12)}
    made = resynthesised(fused, pictures(3, 48), batch_size=2)
    assert made.shape == (3, 3, 48, 48)
    assert made.dtype == np.uint8


def test_a_resynthesis_as_a_picture_is_rounded_and_clipped():
    detector = Resynthesis((0,), **TINY)
    for weights in detector.resynthesiser.parameters():
        nn.init.zeros_(weights)
    output = [p for name, p in detector.resynthesiser.named_parameters() if name.endswith("bias")][-1]
    with torch.no_grad():
        output.copy_(torch.tensor([-0.2, 0.5004, 1.3]))
    assert np.unique(resynthesised(detector, pictures(2)), axis=0).shape[0] == 1
    assert resynthesised(detector, pictures(1))[0, :, 7, 9].tolist() == [0, 128, 255]
    expected = np.abs(pictures(1)[0].astype(float) / 255 - np.array([-0.2, 0.5004, 1.3])[:, None, None]).mean(axis=0)
    assert reconstruction_errors(detector, pictures(1))[0][0] == pytest.approx(expected, abs=1e-6)


def test_a_degradation_is_redrawn_where_it_is_chosen_and_stays_without_widgets(fused, monkeypatch):
    loaded = LoadedDetector(fused.eval(), "resynthesis_fused", fused.input_spec, {}, Path())
    explorer = degradation.DegradationExplorer(loaded, np.moveaxis(pictures(2), 1, -1), ["real", "nearest"])
    pages = []

    class Handle:
        def update(self, page):
            pages.append(page.data)

    def display(what, display_id=False):
        if display_id:
            pages.append(what.data)
        return Handle() if display_id else None

    monkeypatch.setattr(degradation, "display", display)
    explorer._ipython_display_()
    explorer.degradation.value = "blur"
    explorer.picture.value = 1
    alts = [re.findall(r'alt="(.*?)"', page)[0] for page in pages]
    assert alts == [f"{title} as it is and under {name}, with error maps" for title, name in
                    (("real", "jpeg"), ("real", "blur"), ("nearest", "blur"))]  # fmt: skip
    assert len({page.partition("base64,")[2] for page in pages}) == 3


def test_modes_come_back_and_nothing_is_trained(fused):
    fused.train()
    fused.classifiers["pixel"].eval()
    before = {key: value.clone() for key, value in fused.state_dict().items()}
    reconstruction_errors(fused, pictures(2))
    assert (fused.training, fused.classifiers["pixel"].training, fused.classifiers["stage5"].training) == (
        True,
        False,
        True,
    )
    assert all(torch.equal(value, before[key]) for key, value in fused.state_dict().items())


def test_what_cannot_be_measured_is_refused(fused, data):
    with pytest.raises(InputError, match="with Linear: it does not re-synthesise pictures"):
        reconstruction_errors(nn.Linear(1, 1), pictures(1))
    with pytest.raises(ParameterError, match="no features to compare"):
        reconstruction_errors(Resynthesis((0,), **TINY), pictures(1), stages=(5,))
    with pytest.raises(InputError, match=r"got torch.float32 \(1, 3, 32, 32\), expected uint8"):
        reconstruction_errors(fused, torch.zeros(1, 3, 32, 32))
    with pytest.raises(InputError, match="no pictures"):
        resynthesised(fused, pictures(0))
    other = InputSpec(size_px=24, crop_scale=1.0)
    dataset = FaceDataset(data.faces, data.videos, other, data.workspace.extracted)
    with pytest.raises(InputError, match="size_px 24 instead of 32"):
        picture_errors(fused, dataset, progress=False)


def test_figures_of_a_data_set_are_those_of_its_maps(fused, data):
    videos = data.videos[data.videos["split"] == "test"]
    dataset = FaceDataset(data.faces, videos, fused.input_spec, data.workspace.extracted, frames_per_video=1)
    found = picture_errors(
        LoadedDetector(fused, "fused", fused.input_spec, {}, Path("none")), dataset, batch_size=3, progress=False
    )
    images = torch.stack([dataset[row]["images"] for row in range(len(dataset))])
    maps = reconstruction_errors(fused, images)
    assert found.rows["row_id"].tolist() == dataset.rows["row_id"].tolist()
    assert found.rows["residual_pixel"].to_numpy() == pytest.approx(maps[0].mean(axis=(1, 2)), rel=1e-4)
    assert found.rows["residual_stage5"].to_numpy() == pytest.approx(maps[5].mean(axis=(1, 2)), rel=1e-4)
    assert found.rows["nyquist_pixel"].to_numpy() == pytest.approx(peak_excess(maps[0]), abs=1e-2)
    grey = images.float().mean(dim=1).numpy() / 255
    assert found.rows["half_nyquist_picture"].to_numpy() == pytest.approx(peak_excess(grey, 0.25), abs=1e-6)
    assert found.spectra["picture"].power == pytest.approx(azimuthal_average(grey).power)
    assert set(found.spectra) == {"picture", "pixel"}  # maps of 2 x 2 have no spectrum
    assert set(found.rows["kind"]) == {"real", "fake0"}
    # fields of 2 px have their peak at a quarter of the sampling rate
    peak = found.rows.groupby("kind")["half_nyquist_picture"].mean()
    assert peak["fake0"] > peak["real"] + 3


def table(rng, count=60):
    kinds = np.repeat(["real", "a", "b"], count)
    value = rng.normal(np.repeat([0.0, 1.0, -0.7], count))
    group = np.tile([f"g{i // 4}" for i in range(count)], 3)
    return pd.DataFrame({
        "video_id": [f"v{i}" for i in range(3 * count)], "label": (kinds != "real").astype(int), "kind": kinds, "group": group,
        "residual_pixel": value,
    })  # fmt: skip


def test_auc_of_means_equals_scikit_learn_against_all_reals():
    rows = table(np.random.default_rng(0))
    found = compare_kinds(rows, "residual_pixel", draws=300).set_index("kind")
    assert list(found.index) == ["real", "a", "b", "all generated"]
    for kind, mine in (("a", rows["kind"] != "b"), ("b", rows["kind"] != "a"), ("all generated", rows["label"] >= 0)):
        part = rows[mine]
        assert found.at[kind, "auc"] == pytest.approx(roc_auc_score(part["label"], part["residual_pixel"]), abs=1e-12)
        assert found.at[kind, "auc_low"] < found.at[kind, "auc"] < found.at[kind, "auc_high"]
    assert found.at["b", "auc_high"] < 0.5  # lower errors than real ones are shown as such
    assert np.isnan(found.at["real", "auc"])
    for kind in ("real", "a", "b"):
        values = rows.loc[rows["kind"] == kind, "residual_pixel"]
        assert found.at[kind, "mean"] == pytest.approx(values.mean())
        assert found.at[kind, "low"] < values.mean() < found.at[kind, "high"]
    assert found["n"].tolist() == [60, 60, 60, 120]


def test_files_with_several_faces_count_once_and_gaps_are_refused():
    rows = table(np.random.default_rng(1))
    doubled = pd.concat([rows, rows.assign(residual_pixel=rows["residual_pixel"] + 0.5)], ignore_index=True)
    one = compare_kinds(rows, "residual_pixel", draws=50)
    two = compare_kinds(doubled, "residual_pixel", draws=50)
    assert two["auc"].to_numpy() == pytest.approx(one["auc"].to_numpy(), nan_ok=True)
    assert two["mean"].to_numpy() == pytest.approx(one["mean"].to_numpy() + 0.25)
    alone = compare_kinds(rows.assign(group="all"), "residual_pixel")
    assert alone["auc_low"].isna().all()
    assert alone["reason"].str.contains("1 (?:real |identity )group").all()
    without = compare_kinds(rows.assign(group=""), "residual_pixel", draws=50)
    assert without["auc_low"].notna().sum() == 3
    with pytest.raises(InputError, match="no column residual_stage5"):
        compare_kinds(rows, "residual_stage5")
    with pytest.raises(InputError, match="1 pictures without residual_pixel"):
        compare_kinds(rows.assign(residual_pixel=rows["residual_pixel"].where(rows.index != 3)), "residual_pixel")


class Contrast(nn.Module):
    """Calls fake what has strong fields of 2 px, as the fakes of the toy set do; it stands for any detector."""

    def __init__(self):
        super().__init__()
        self.input_spec = InputSpec(size_px=32, crop_scale=1.0)
        board = (np.indices((32, 32)) // 2).sum(axis=0) % 2 - 0.5
        self.register_buffer("board", torch.tensor(board, dtype=torch.float32))

    def forward(self, images):
        return Prediction(100 * (images.mean(dim=1) * self.board).mean(dim=(1, 2)).abs() - 3)


@pytest.fixture
def test_split(data):
    return data.videos[data.videos["split"] != "train"]


def test_robustness_scores_the_same_samples_under_every_condition(data, test_split):
    found = robustness(
        Contrast(),
        data,
        test_split,
        ["noise", "blur", "jpeg>noise"],
        levels=(1, 3, 5),
        judging=Judging(draws=100),
        progress=False,
    )
    curves = found.curves
    places = [(name, level) for name in ("noise", "blur", "jpeg>noise") for level in (0, 1, 3, 5)]
    assert list(zip(curves["perturbation"], curves["level"], strict=True)) == places
    assert (curves["detector"] == "Contrast").all()
    at = curves.set_index(["perturbation", "level"])
    assert at.at[("jpeg>noise", 3), "strength"] == "60, 8"
    assert at.at[("blur", 0), "value"] == at.at[("noise", 0), "value"] == 1.0
    assert (
        at.at[("blur", 5), "value"] < 0.9 < at.at[("noise", 5), "value"]
    )  # a field of 2 px withstands noise, not blur
    assert at.at[("blur", 0), "change"] == 0
    assert at.at[("blur", 5), "change"] == pytest.approx(at.at[("blur", 5), "value"] - 1)
    assert at.at[("blur", 5), "change_low"] <= at.at[("blur", 5), "change"] <= at.at[("blur", 5), "change_high"]
    for (name, level), part in found.scores.groupby(["perturbation", "level"]):
        assert len(part) == 20
        if level:
            assert at.at[(name, level), "value"] == pytest.approx(
                roc_auc_score(part["label"], part["fake_probability"])
            )
    # scored before, the unperturbed pictures are not scored again
    clean = found.scores[found.scores["level"] == 0]
    again = robustness(
        Contrast(), data, test_split, ["noise"], levels=(5,), judging=Judging(draws=0), clean=clean, progress=False
    )
    assert again.curves["value"].tolist() == [at.at[("noise", level), "value"] for level in (0, 5)]
    with pytest.raises(InputError, match="19 rows that are not the 20 samples"):
        robustness(Contrast(), data, test_split, ["noise"], clean=clean[1:], progress=False)
    # by hand, sample by sample
    detector, blurred = Contrast(), Perturb("blur", PERTURBATIONS["blur"].strengths[4])
    dataset = FaceDataset(
        data.faces, test_split, detector.input_spec, data.workspace.extracted, frames_per_video=1, transform=blurred
    )
    logits = [detector(dataset[row]["images"][None] / 255).logit.item() for row in range(len(dataset))]
    scored = found.scores[(found.scores["perturbation"] == "blur") & (found.scores["level"] == 5)]
    assert scored["logit"].to_numpy() == pytest.approx(logits, abs=1e-4)


def test_the_mean_of_two_detectors_is_what_the_fused_one_says(fused, data, test_split):
    parts = {"pixel": Resynthesis((0,), **TINY), "stage5": build_detector("resynthesis_stage5", **TINY)}
    for part in parts.values():
        known = part.state_dict()
        part.load_state_dict({name: value for name, value in fused.state_dict().items() if name in known})
    made = {
        name: robustness(
            model.eval(), data, test_split, ["jpeg"], levels=(2,), judging=Judging(draws=0), progress=False
        )
        for name, model in {**parts, "fused": fused.eval()}.items()
    }
    mean = mean_scores(made["pixel"].scores, made["stage5"].scores)
    assert mean["logit"].to_numpy() == pytest.approx(made["fused"].scores["logit"].to_numpy(), abs=1e-5)
    assert mean["fake_probability"].to_numpy() == pytest.approx(
        (made["pixel"].scores["fake_probability"] + made["stage5"].scores["fake_probability"]).to_numpy() / 2
    )
    measured = robustness_of(mean, "Resynthesis", judging=Judging(draws=0))
    pd.testing.assert_frame_equal(measured.curves, made["fused"].curves)
    pd.testing.assert_frame_equal(measured.summary, made["fused"].summary)
    with pytest.raises(TableError, match="do not name the same samples in the same order"):
        mean_scores(made["pixel"].scores, made["stage5"].scores[::-1].reset_index(drop=True))


def test_a_mean_of_certain_answers_and_one_that_is_missing():
    first = pd.DataFrame({"row_id": list("ab"), "logit": [60.0, np.nan], "fake_probability": [1.0, np.nan]})
    first = first.assign(status=["ok", "too_short"], reason=["", "3 frames"])
    second = first.assign(logit=[-60.0, 1.0], fake_probability=[0.0, 0.73], status="ok", reason="")
    mean = mean_scores(first, second)
    assert mean.loc[0, "logit"] == pytest.approx(0)
    assert mean.loc[0, "fake_probability"] == pytest.approx(0.5)
    for table in (mean, mean_scores(second, first)):
        assert np.isnan(table.loc[1, "fake_probability"])
        assert table.loc[1, ["status", "reason"]].tolist() == ["too_short", "3 frames"]


def test_summary_is_the_area_and_the_first_level_at_chance(data, test_split):
    found = robustness(
        Contrast(), data, test_split, ["resize", "colour"], levels=(1, 2, 5), judging=Judging(draws=200), progress=False
    )
    for row in found.summary.itertuples():
        curve = found.curves[found.curves["perturbation"] == row.perturbation]
        assert row.area == pytest.approx(np.trapezoid(curve["value"], curve["level"]) / 5)
        if np.ptp(curve["value"]) == 0 and row.area == 1:  # without a mistake in any resampling there is no interval
            assert np.isnan(row.area_low)
            assert "all resamplings give the same value" in row.reason
        else:
            assert row.area_low <= row.area <= row.area_high
        at_chance = curve.loc[curve["low"] <= 0.5, "level"]
        assert (row.broken_at == at_chance.min()) if len(at_chance) else np.isnan(row.broken_at)
    summary = found.summary.set_index("perturbation")
    assert summary.at["resize", "broken_at"] == 5
    assert np.isnan(summary.at["colour", "broken_at"])
    assert summary.at["resize", "area"] < summary.at["colour", "area"]
    again = robustness(
        Contrast(),
        data,
        test_split,
        ["resize", "colour"],
        levels=(1, 2, 5),
        judging=Judging(draws=200),
        cache_mb=0,
        progress=False,
    )
    pd.testing.assert_frame_equal(again.curves, found.curves)


def test_clean_pictures_are_those_of_a_data_set_without_transform(data, test_split):
    spec, root = Contrast().input_spec, data.workspace.extracted
    plain = FaceDataset(data.faces, test_split, spec, root)
    clean, jpeg, other = (
        FaceDataset(data.faces, test_split, spec, root, transform=change, seed=seed)
        for change, seed in ((Perturb(""), 0), (Perturb("noise", 9), 0), (Perturb("noise", 9), 1))
    )
    assert all(torch.equal(plain[row]["images"], clean[row]["images"]) for row in (0, 5, 19))
    assert torch.equal(jpeg[3]["images"], jpeg[3]["images"])
    assert not torch.equal(jpeg[3]["images"], other[3]["images"])
    clip = InputSpec(size_px=32, crop_scale=1.0, clip_length=3)
    images = FaceDataset(data.faces, test_split, clip, root, transform=Perturb("grey", 1))[0]["images"]
    assert images.shape == (3, 3, 32, 32)
    assert (images == images[:, :1]).all()


def test_frank_protocol_has_a_row_per_condition(data, test_split):
    found = frank_auc(frank_scores(Contrast(), data, test_split, progress=False), "mine", judging=Judging(draws=50))
    assert found["condition"].tolist() == ["clean", *FRANK_2020]
    assert (found["detector"] == "mine").all()
    assert found.loc[0, ["value", "change"]].tolist() == [1.0, 0.0]
    assert found["value"].min() < 1
    assert found["value"].between(0, 1).all()


def test_conditions_that_are_none_are_refused_before_anything_is_scored(data, test_split):
    with pytest.raises(UnknownNameError, match="perturbation"):
        robustness(Contrast(), data, test_split, ["jpg"])
    with pytest.raises(ParameterError, match=r"levels \[3, 1\], expected one or more of .* rising"):
        robustness(Contrast(), data, test_split, ["jpeg"], levels=(3, 1))
    with pytest.raises(ParameterError, match="level 7"):
        robustness(Contrast(), data, test_split, ["jpeg"], levels=(1, 7))
    with pytest.raises(UnknownNameError, match="condition of Frank"):
        frank_scores(Contrast(), data, test_split, ["jpg"])


def test_whole_pictures_are_perturbed_and_measured_too(data, test_split):
    corner = data.faces["crop_x0"], data.faces["crop_y0"]
    ends = {
        f"box_{axis}{i}": at + i * data.faces["crop_side"]
        for axis, at in zip("xy", corner, strict=True)
        for i in (0, 1)
    }
    whole = data.with_tables(faces=data.faces.assign(**ends))
    torch.manual_seed(0)
    detector = Resynthesis((0,), **TINY | {"alignment": "whole"}).eval()
    found = robustness(detector, whole, test_split, ["jpeg"], levels=(5,), judging=Judging(draws=0), progress=False)
    assert found.curves["value"].notna().all()
    changed = found.scores.pivot(index="row_id", columns="level", values="logit")
    assert (changed[0] != changed[5]).all()
    rows = picture_errors(detector, whole.samples(detector.input_spec, test_split, 1), progress=False).rows
    assert rows["residual_pixel"].between(0, 2).all()
