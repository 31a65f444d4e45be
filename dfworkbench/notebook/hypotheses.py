"""Notebook 05_hypotheses: encoders and detectors of FST-Matching's study, their attributions, and the three tests."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from dfworkbench.analysis.comparison import compare_auc, mean_auc
from dfworkbench.analysis.deletion import deletion_and_insertion
from dfworkbench.analysis.explanations import METHODS, explain, of_shapley
from dfworkbench.analysis.extracted import Extracted, pick
from dfworkbench.analysis.hypotheses import OverlapStudy, overlap_study
from dfworkbench.analysis.map_scores import compare_maps, mean_mask
from dfworkbench.analysis.measures import Measure, measures_frame, measures_table
from dfworkbench.analysis.overlap_null import NULLS
from dfworkbench.analysis.pairing import PairingStudy, pairing_study, pairing_summary
from dfworkbench.analysis.shapley.attribution_map import AttributionMap, AttributionSettings
from dfworkbench.analysis.shapley.image_game import ImageGame
from dfworkbench.analysis.shapley.maps import attribute_all
from dfworkbench.analysis.shapley.values import ClassLogit, ClassLogOdds, Value
from dfworkbench.analysis.stability import StabilityStudy, stability_study
from dfworkbench.analysis.study_pictures import Pictures, choose_pictures, hide, named
from dfworkbench.checkpoints import LoadedDetector, load_detector
from dfworkbench.datasets.compressions import compressed_crops
from dfworkbench.errors import DataNotFoundError, InputError
from dfworkbench.evaluation.scoring import score_rows
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.names import COMPRESSIONS, FAKE, REENACTMENTS
from dfworkbench.notebook.tables import ReadableTable
from dfworkbench.plots import plot_overlap_curve, plot_pairing, plot_stability
from dfworkbench.settings import Settings
from dfworkbench.training import TrainSettings
from dfworkbench.training.start import with_splits
from dfworkbench.workspace import Workspace, atomic_path, find_workspace

CARRIER, DONOR, DETECTOR = "carrier", "donor", "detector"
PAIRED: Literal["paired"] = "paired"
UNPAIRED: Literal["unpaired"] = "unpaired"
ALL, SWAPS, EXPRESSIONS = "all fakes", "swaps", "reenactments"

_MOST_GAP = 0.01
_PLAIN: dict[str, Any] = {"flip": 0.0, "box_jitter": 0.0, "colour_jitter": 0.0, "degrade": 0.0}


class HypothesisSettings(Settings):
    """Which hypothesis is tested, on what, and how exactly."""

    hypothesis: int = Field(1, ge=1, le=3, description="1: where it looks; 2: paired training; 3: compression.")
    dataset: str = Field("demo", min_length=1, description="Extracted data set whose fakes name both of their people.")
    kinds: list[str] = Field([], description="Forgery kinds that are analysed; empty: all.")
    encoder: str = Field("identity_resnet18", description="Network that names the carrier, and another one the donor.")
    detector: str = Field("resnet18", description="Detector that is explained; it must see the crops of the encoders.")
    size_px: int = Field(64, ge=32, le=1024, description="Size of the crops of all three; 224 is as published.")
    encoder_epochs: int = Field(4, ge=1, le=1000, description="Passes over the faces that encoders learn from.")
    epochs: int = Field(6, ge=1, le=1000, description="Passes over the training split, for detectors.")
    frames_per_video: int = Field(
        8,
        ge=1,
        le=1000,
        description="Faces per video that encoders and detectors are trained on, evenly over its time.",
    )
    batch_size: int = Field(64, ge=1, le=4096, description="Faces per step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Step size of AdamW; falls like a cosine.")
    pairings: int = Field(
        1, ge=1, le=40, description="Hypothesis 2: pairs of detectors; every second one exchanges the halves of people."
    )
    images: int = Field(2, ge=1, le=10_000, description="Fakes of each kind, of people whom no detector has seen.")
    keep_wrong: bool = Field(False, description="Also analyses fakes whose people the encoders name wrongly.")
    grid: int = Field(8, ge=2, le=64, description="Cells along a side; 16 is as published.")
    baseline: Literal["black", "mean", "blur"] = Field(
        "black", description="What hidden cells show; black is published."
    )
    value: Literal["log_odds", "logit"] = Field(
        "log_odds", description="What is explained: log-odds of the class, or its raw logit as published."
    )
    evaluations: int = Field(384, ge=100, description="Budget of a map, in forward passes; 51200 is as published.")
    relative_error: float = Field(0.05, gt=0, lt=1, description="A map is finished earlier with this error.")
    null: Literal["shift", "cells"] = Field(
        "shift", description="Hypothesis 1: what Q is compared with in the figure; p-values are given for all nulls."
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Fixes weights, choice of pictures and coalitions.")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        "auto",
        description="Numbers to compute with; auto takes bf16 where the hardware has it, for maps only if they hardly change.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to compute; auto takes a GPU if there is one."
    )

    def trainings(self) -> dict[str, TrainSettings]:
        """What the hypothesis needs trained, with a title each."""
        made = {CARRIER: self.encoder_training(CARRIER), DONOR: self.encoder_training(DONOR)}
        if self.hypothesis == 2:
            for at in range(self.pairings):
                made |= {f"{kind} {at + 1}": self.detector_training(kind, at) for kind in (PAIRED, UNPAIRED)}
            return made
        return made | {DETECTOR: self.detector_training()}

    def encoder_training(self, role: str) -> TrainSettings:
        """Training of the encoder of carriers or donors: on all people, without random changes, as published."""
        return TrainSettings(
            **self._shared(), **_PLAIN, detector=self.encoder, method_options=[f"role={role}"], epochs=self.encoder_epochs,
            balance="none", frames_per_video=self.frames_per_video,
        )  # fmt: skip

    def detector_training(self, pairing: Literal["all", "paired", "unpaired"] = "all", at: int = 0) -> TrainSettings:
        """Training of a detector: on all fakes of the training split, or on a paired or unpaired half of the people."""
        plain = self.detector.startswith("resnet")
        return TrainSettings(
            **self._shared(), detector=self.detector, epochs=self.epochs, frames_per_video=self.frames_per_video,
            detector_options=["alignment=five_points", "crop_scale=1.0", "two_logits=true"] if plain else [],
            pairing=pairing, pairing_seed=self.seed + at // 2, pairing_swap=bool(at % 2),
        )  # fmt: skip

    def _shared(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset, "size_px": self.size_px, "batch_size": self.batch_size,
            "learning_rate": self.learning_rate, "weight_decay": 4e-3, "seed": self.seed, "precision": self.numbers(),
            "device": self.device,
        }  # fmt: skip

    def numbers(self) -> Literal["32-true", "bf16-mixed"]:
        """The precision, `auto` being resolved."""
        return fast_precision(choose_device(self.device)) if self.precision == "auto" else self.precision

    def attributions(self, precision: str = "32-true") -> AttributionSettings:
        """Settings of the maps."""
        return AttributionSettings(
            grid=self.grid, baseline=self.baseline, relative_error=self.relative_error, evaluations=self.evaluations,
            seed=self.seed, precision=precision,
        )  # fmt: skip


class Maps(NamedTuple):
    """Attributions of one model on N pictures, `(N, L, L)` each."""

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    found: list[AttributionMap]


class Result(NamedTuple):
    """What came out of a test.

    Attributes:
        table: For reading.
        figure: The same as a figure.
        measures: Every figure with its interval.
        tables: Name of a file -> what is written into it.
    """

    table: ReadableTable
    figure: Figure
    measures: dict[str, list[Measure]]
    tables: dict[str, pd.DataFrame]


class Study:
    """One hypothesis on trained encoders and detectors.

    Args:
        settings: Of the study; what it needs must be trained.
        workspace: Where runs and data sets lie.
        progress: Whether to show bars.
    """

    def __init__(
        self, settings: HypothesisSettings, workspace: Workspace | None = None, *, progress: bool = True
    ) -> None:
        self.settings, self.progress = settings, progress
        self.workspace = workspace or find_workspace()
        data = Extracted.read(settings.dataset, self.workspace)
        splits = self.workspace.labels / settings.dataset / "splits.csv"
        self.data = data._replace(videos=with_splits(data.videos, splits))
        self.models = {
            title: load_detector(training.model_name, settings.device, workspace=self.workspace)
            for title, training in settings.trainings().items()
        }
        first = self.models[CARRIER]
        for title, model in self.models.items():
            first.input_spec.require_same(model.input_spec, f"explaining the {title} beside the carrier's encoder")
        self.chosen = choose_pictures(
            self.data, first, kinds=settings.kinds, per_kind=settings.images, seed=settings.seed
        )

    # -- pictures ------------------------------------------------------------------------------------------------------

    @cached_property
    def named(self) -> pd.DataFrame:
        """One row per chosen picture: method, carrier, donor, whom the encoders named, and whether both were right."""
        rows = self.chosen.rows[["row_id", "method", "carrier", "donor"]].copy()
        for role in (CARRIER, DONOR):
            rows[f"named_{role}"] = named(self.models[role], self.chosen.images)
            rows[f"right_{role}"] = rows[f"named_{role}"] == rows[role]
        return rows.assign(used=self.settings.keep_wrong | (rows["right_carrier"] & rows["right_donor"]))

    @cached_property
    def pictures(self) -> Pictures:
        """The chosen pictures of which both encoders name the person rightly, or all with `keep_wrong`.

        Raises:
            InputError: There is none.
        """
        used = self.named["used"].to_numpy()
        if not used.any():
            raise InputError(
                f"testing hypothesis {self.settings.hypothesis}: of none of {len(used)} fakes both people were named rightly, but "
                "what encoders look at says nothing where they are wrong. Train them longer (encoder_epochs), or larger (size_px)."
            )
        return self.chosen.take(used)

    def encoder_table(self) -> ReadableTable:
        """How well the encoders know the people of the chosen fakes, whole and with parts hidden."""
        parts = {"whole picture": self.chosen.images}
        known = self.chosen.has_mask
        if known.all():
            parts["forged area hidden"] = hide(self.chosen.images, self.chosen.masks)
            parts["only the forged area"] = hide(self.chosen.images, ~self.chosen.masks)
        rows = {}
        for part, images in parts.items():
            right = {
                role: np.array(named(self.models[role], images)) == self.chosen.rows[role] for role in (CARRIER, DONOR)
            }
            rows[part] = {f"{role} named rightly": f"{hit.mean():.0%}" for role, hit in right.items()}
        people = len(self.models[CARRIER].detector.identities)  # pyright: ignore[reportArgumentType]
        rows["guessing"] = {f"{role} named rightly": f"{1 / people:.0%}" for role in (CARRIER, DONOR)}
        return ReadableTable(pd.DataFrame(rows).T.rename_axis(f"{len(self.chosen.rows)} fakes, {people} people"))

    def used_table(self) -> ReadableTable:
        """How many fakes of each kind are analysed, and how many were left out because an encoder was wrong."""
        found = self.named.groupby("method")["used"].agg(["size", "sum"])
        table = pd.DataFrame(
            {"fakes": found["size"], "analysed": found["sum"], "left out": found["size"] - found["sum"]}
        )
        table.loc["all"] = table.sum()
        return ReadableTable(table.rename_axis("forgery kind"))

    # -- maps ----------------------------------------------------------------------------------------------------------

    def maps(self, title: str, images: NDArray[np.uint8] | None = None, *, seed: int | None = None) -> Maps:
        """Attributions of a model on the pictures; finished maps lie beside its weights and are not made again.

        Args:
            title: Of the model, a key of `models`.
            images: The same pictures in another compression; by default as they were extracted.
            seed: Of the coalitions; by default that of the settings.
        """
        own, rows = self.settings.attributions(self._precisions[title]), self.pictures.rows
        if seed is not None:
            own = dataclasses.replace(own, seed=seed)
        model = self.models[title]
        pictures = self.pictures.images if images is None else images
        found = attribute_all(
            model,
            dict(zip(rows["row_id"], pictures, strict=True)),
            value={row_id: self._value(title, at) for at, row_id in enumerate(rows["row_id"])},
            settings=own,
            folder=model.path.parent / "attributions" / model.path.stem,
            progress=self.progress,
        )
        each = list(found.values())
        return Maps(np.stack([a.values for a in each]), np.stack([a.standard_error for a in each]), each)

    @cached_property
    def _precisions(self) -> dict[str, str]:
        """What the maps of each model are made with: bf16 only where it moves the value by less than a hundredth."""
        fast, own, image = self.settings.numbers(), self.settings.attributions(), self.pictures.images[0]
        chosen = {}
        for title, model in self.models.items():
            value = self._value(title, 0)
            game = ImageGame(model, image, grid=own.grid, baseline=own.baseline, value=value, precision=fast)
            chosen[title] = fast if game.precision_gap() < _MOST_GAP else "32-true"
        return chosen

    def _value(self, title: str, at: int) -> Value:
        raw = self.settings.value == "logit"
        if title in (CARRIER, DONOR):
            people: Sequence[str] = self.models[title].detector.identities  # pyright: ignore[reportAssignmentType]
            index = people.index(self.pictures.rows[title].iloc[at])
            return (ClassLogit if raw else ClassLogOdds)("identity_logits", index)
        return ClassLogit("class_logits", FAKE) if raw else "logit"

    @cached_property
    def explained(self) -> dict[str, Maps]:
        """Title of each model -> its attributions of the pictures."""
        return {title: self.maps(title) for title in self.models}

    def map_table(self) -> ReadableTable:
        """What the maps cost, how exact they are, and how far the values of hidden and whole pictures lie apart."""
        rows = {}
        for title, maps in self.explained.items():
            found = maps.found
            rows[title] = {
                "maps": len(found),
                "evaluations": int(np.mean([a.evaluations for a in found])),
                "relative error": f"{np.median([a.relative_error for a in found]):.0%}",
                "value, all hidden": f"{np.mean([a.empty for a in found]):.1f}",
                "value, whole": f"{np.mean([a.full for a in found]):.1f}",
                "precision": found[0].settings.precision,
                "efficiency gap": f"{max(abs(a.efficiency_gap) for a in found):.0e}",
            }
        return ReadableTable(pd.DataFrame(rows).T.rename_axis("model"))

    # -- hypothesis 1 --------------------------------------------------------------------------------------------------

    def groups(self) -> dict[str, NDArray[np.bool_]]:
        """All fakes, swaps and reenactments among the pictures; a reenacted face keeps the carrier's looks."""
        reenacted = self.pictures.rows["method"].isin(REENACTMENTS).to_numpy()
        parts = {ALL: np.ones(len(reenacted), bool), SWAPS: ~reenacted, EXPRESSIONS: reenacted}
        return {name: part for name, part in parts.items() if part.any()}

    def overlap(self, null: str) -> dict[str, OverlapStudy]:
        """Hypothesis 1 for all fakes, swaps and reenactments, against one null; those that it cannot be drawn for are left out."""
        models = {title: self.explained[title] for title in (CARRIER, DONOR, DETECTOR)}
        names = self.pictures.rows["group"].to_numpy()
        return {
            name: overlap_study(
                *(maps.values[part] for maps in models.values()),
                groups=names[part],
                null=null,
                errors={title: maps.errors[part] for title, maps in models.items()},
                seed=self.settings.seed,
            )
            for name, part in self.groups().items()
            if null != "images" or len(set(names[part])) > 1  # it takes the cells of other people
        }

    def mask_measures(self) -> dict[str, list[Measure]]:
        """How well the maps of all models meet the true forgery masks, beside baselines; empty without masks."""
        known = self.pictures.has_mask
        if not known.any():
            return {}
        videos = self.data.videos
        fakes = videos[(videos["split"] == "train") & (videos["label"] == FAKE)]
        model = self.models[CARRIER]
        train = self.data.samples(model, fakes, 1).rows
        masks, there = self.data.masks(model, train)
        grid = (self.settings.grid, self.settings.grid)
        rows = self.pictures.rows[known]
        return compare_maps(
            {title: maps.values[known] for title, maps in self.explained.items()},
            self.pictures.masks[known],
            rows["video_id"].tolist(),
            prior=mean_mask([*masks[there]], grid),
            groups=rows["group"].tolist(),
            seed=self.settings.seed,
        )

    # -- hypothesis 2 --------------------------------------------------------------------------------------------------

    def pairing(self) -> list[PairingStudy]:
        """Hypothesis 2 for each pair of detectors."""
        shared = [self.explained[title].values for title in (CARRIER, DONOR)]
        return [
            pairing_study(
                *shared,
                *(self.explained[f"{kind} {at + 1}"].values for kind in (PAIRED, UNPAIRED)),
                groups=self.pictures.rows["group"].to_numpy(),
                seed=self.settings.seed,
            )
            for at in range(self.settings.pairings)
        ]

    def auc_table(self) -> ReadableTable:
        """Video AUC on the test split: of the detector, or of paired and unpaired ones and their difference."""
        scores = {title: self._scores(model) for title, model in self.models.items() if title not in (CARRIER, DONOR)}
        if self.settings.hypothesis != 2:
            columns = {title: [mean_auc("video AUC", [table])[0]] for title, table in scores.items()}
            return ReadableTable(measures_table(columns, digits=3).drop(columns="chance"))
        columns: dict[str, list[Measure]] = {}
        for at in range(1, self.settings.pairings + 1):
            both = [scores[f"{kind} {at}"] for kind in (PAIRED, UNPAIRED)]
            name = f"pair {at}"
            for kind, table in zip((PAIRED, UNPAIRED), both, strict=True):
                columns.setdefault(kind, []).append(mean_auc(name, [table])[0])
            columns.setdefault("difference", []).append(compare_auc(name, [both[0]], [both[1]]))
        return ReadableTable(measures_table(columns, digits=3).drop(columns="chance").rename_axis("video AUC"))

    def _scores(self, model: LoadedDetector) -> pd.DataFrame:
        videos = self.data.videos[self.data.videos["split"] == "test"]
        return score_rows(model, self.data.samples(model, videos, 4), videos=videos, progress=self.progress)

    # -- hypothesis 3 --------------------------------------------------------------------------------------------------

    @cached_property
    def versions(self) -> dict[str, NDArray[np.uint8]]:
        """Compression -> the pictures in it, cut at the same places.

        Raises:
            DataNotFoundError: The data set is gone, or has not all compressions.
        """
        root = self.data.root
        if root is None:
            raise DataNotFoundError(
                f"comparing compressions of {self.settings.dataset!r}: the folder that it was extracted from is not there, and "
                "frames of all compressions are read from its videos. Bring it back, or extract it again."
            )
        faces = self.data.faces_of(self.pictures.rows)
        spec = self.models[CARRIER].input_spec
        return compressed_crops(root, self.data.videos, faces, spec, COMPRESSIONS)

    def stability(self) -> dict[str, StabilityStudy]:
        """Hypothesis 3 for carrier, donor and detector; noise is corrected for by a second estimate of every map."""
        names = self.pictures.rows["group"].to_numpy()
        found = {}
        for title in (CARRIER, DONOR, DETECTOR):
            twice = [
                {name: self.maps(title, images, seed=seed).values for name, images in self.versions.items()}
                for seed in (self.settings.seed, self.settings.seed + 1)
            ]
            found[title] = stability_study(twice[0], names, again=twice[1], seed=self.settings.seed)
        return found

    # -- results -------------------------------------------------------------------------------------------------------

    def result(self) -> "Result":
        """The test of the hypothesis: its table, its figure, and the numbers behind them."""
        return {1: self._first, 2: self._second, 3: self._third}[self.settings.hypothesis]()

    def _first(self) -> "Result":
        studies = self.overlap(self.settings.null)
        others = {null: self.overlap(null) for null in NULLS if null != self.settings.null}
        figure = plot_overlap_curve(studies[ALL].curve, title=f"Hypothesis 1: {self.settings.detector}, {ALL}")
        tables = {"curve": studies[ALL].curve, "images": studies[ALL].images}
        return Result(
            _q_table(studies, others), figure, {name: study.measures for name, study in studies.items()}, tables
        )

    def _second(self) -> "Result":
        studies = self.pairing()
        measures = {
            f"{kind}, pair {at}": found for at, study in enumerate(studies, 1) for kind, found in study.measures.items()
        }
        curves = pd.concat([study.curves.assign(pair=at) for at, study in enumerate(studies, 1)], ignore_index=True)
        images = pd.concat([study.images.assign(pair=at) for at, study in enumerate(studies, 1)], ignore_index=True)
        figure = plot_pairing(studies[0].curves, title=f"Hypothesis 2: {self.settings.detector}, pair 1")
        return Result(_pairing_table(studies), figure, measures, {"curves": curves, "images": images})

    def _third(self) -> "Result":
        studies = self.stability()
        measures = {title: study.measures for title, study in studies.items()}
        images = pd.concat([study.images.assign(model=title) for title, study in studies.items()], ignore_index=True)
        table = measures_table(measures).rename(columns={"chance": "unrelated people"})
        figure = plot_stability(measures, title=f"Hypothesis 3: {self.settings.detector}, raw against compressed")
        return Result(ReadableTable(table), figure, measures, {"images": images})

    def examples(self, count: int) -> list[int]:
        """Pictures to show: drawn by seed, as many of each forgery kind as possible."""
        return pick(self.pictures.rows, count, self.settings.seed)

    def compare_methods(self, count: int) -> ReadableTable:
        """Gains of deletion and insertion over random orders, in log-odds, of every way to explain the detector."""
        title = next(name for name in self.models if name not in (CARRIER, DONOR))
        maps, gains = self.explained[title], []
        others = [name for name in METHODS if name != "shapley"]
        for at in self.examples(count):
            image, model = self.pictures.images[at], self.models[title]
            found = {"shapley": of_shapley(maps.found[at])}
            found |= explain(model, image, others, settings=self.settings.attributions())
            curves = deletion_and_insertion(
                model, image, found, baseline=self.settings.baseline, seed=self.settings.seed
            )
            gains += [
                {"method": METHODS[name], "deletion": curve.deletion_gain, "insertion": curve.insertion_gain}
                for name, curve in curves.items()
            ]
        table = pd.DataFrame(gains).groupby("method", sort=False).agg(["mean", "std"])
        text = {
            f"{kind} gain": [f"{mean:+.2f} ± {sd:.2f}" for mean, sd in table[kind].itertuples(index=False)]
            for kind in ("deletion", "insertion")
        }
        cells = f"{title}, {count} fakes (mean ± s.d.)"
        return ReadableTable(pd.DataFrame(text, index=table.index).rename_axis(cells))

    # -- files ---------------------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Where results are kept: in the run of the (first) detector that was tested."""
        last = next(model for title, model in self.models.items() if title not in (CARRIER, DONOR))
        return last.path.parent / "hypotheses" / f"{self.settings.hypothesis}_{self.settings.content_hash()}"

    def save(self, result: "Result", figures: Mapping[str, Any] | None = None) -> Path:
        """Write everything that was found: results.json, tables as CSV, the maps as they are as NPZ, figures as PNG."""
        folder = self.folder
        record = {
            "settings": self.settings.model_dump(mode="json"),
            "runs": {title: f"{model.path.parent.name}/{model.path.name}" for title, model in self.models.items()},
            "left_out": int((~self.named["used"]).sum()),
            "maps": {title: [a.to_dict() for a in maps.found] for title, maps in self.explained.items()},
        }
        _write(folder / "results.json", lambda path: path.write_text(json.dumps(record, indent=1) + "\n"))
        _write(folder / "measures.csv", lambda path: measures_frame(result.measures).to_csv(path, index=False))
        for name, table in {"pictures": self.pictures.rows, "named": self.named, **result.tables}.items():
            _write(folder / f"{name}.csv", lambda path, table=table: table.to_csv(path, index=False))
        for name, figure in {"test": result.figure, **(figures or {})}.items():
            _write(folder / f"{name}.png", lambda path, figure=figure: figure.savefig(path, dpi=150))
        arrays: dict[str, Any] = {title: maps.values for title, maps in self.explained.items()}
        arrays |= {f"{title} error": maps.errors for title, maps in self.explained.items()}
        _write(folder / "maps.npz", lambda path: np.savez_compressed(path, **arrays))
        return folder


def _q_table(studies: Mapping[str, OverlapStudy], others: Mapping[str, Mapping[str, OverlapStudy]]) -> ReadableTable:
    """Q of hypothesis 1 in its three forms, with what the null gives and a p-value, and p-values of the other nulls."""
    rows = []
    for name, study in studies.items():
        known = {null: found[name].summary["p"].tolist() for null, found in others.items() if name in found}
        for at, row in enumerate(study.summary.to_dict("records")):
            rows.append({
                "fakes": f"{name} ({row['n']})",
                "measure": row["name"],
                "value [95 % interval]": _with_interval(row["value"], row["low"], row["high"]),
                "null [95 %]": _with_interval(row["null"], row["null_low"], row["null_high"]),
                "p": f"{row['p']:.3f}",
                **{f"p, {null}": f"{known[null][at]:.3f}" if null in known else "-" for null in others},
                "noise of maps": f"± {row['se']:.4f}",
            })  # fmt: skip
    return ReadableTable(pd.DataFrame(rows).set_index("fakes"))


def _pairing_table(studies: Sequence[PairingStudy]) -> ReadableTable:
    """Paired minus unpaired, over all pairs of detectors."""
    found = pairing_summary(studies)
    table = found.assign(
        mean=[f"{value:+.4f}" for value in found["mean"]],
        sd=["" if np.isnan(value) else f"{value:.4f}" for value in found["sd"]],
        positive=[f"{hits} of {count}" for hits, count in zip(found["positive"], found["studies"], strict=True)],
    ).set_index("name")[["mean", "sd", "positive"]]
    return ReadableTable(table.rename_axis("paired minus unpaired").rename(columns={"positive": "pairs above 0"}))


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}]" if np.isfinite(low) else f"{value:+.4f}"


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    with atomic_path(path, "results of a hypothesis") as temporary:
        write(temporary)
