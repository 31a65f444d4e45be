"""Study of notebook 05_hypotheses: attributions of encoders and detectors, and the three tests of FST-Matching."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfworkbench.core.errors import DataNotFoundError, InputError
from dfworkbench.core.names import COMPRESSIONS, FAKE, REENACTMENTS
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.rows import pick
from dfworkbench.evaluation.metrics.compare import compare_auc, mean_auc
from dfworkbench.evaluation.metrics.interval import PEOPLE
from dfworkbench.evaluation.metrics.measures import Measure, measures_table
from dfworkbench.explain import study
from dfworkbench.explain.deletion import deletion_and_insertion
from dfworkbench.explain.explanations import METHODS, explain, of_shapley
from dfworkbench.explain.map_baselines import compare_maps, mean_mask
from dfworkbench.explain.shapley.image_game import ImageGame
from dfworkbench.explain.study_pictures import Pictures, choose_pictures, hide, named
from dfworkbench.methods.fst_matching.attributions import Attributions, Maps
from dfworkbench.methods.fst_matching.compressions import compressed_crops
from dfworkbench.methods.fst_matching.hypothesis1 import OverlapStudy, overlap_study
from dfworkbench.methods.fst_matching.hypothesis2 import PairingStudy, pairing_study
from dfworkbench.methods.fst_matching.hypothesis3 import StabilityStudy, stability_study
from dfworkbench.methods.fst_matching.null import NULLS
from dfworkbench.methods.fst_matching.results import (
    Result,
    gains_table,
    map_table,
    overlap_result,
    pairing_result,
    save_result,
    stability_result,
)
from dfworkbench.methods.fst_matching.settings import CARRIER, DETECTOR, DONOR, PAIRED, UNPAIRED, HypothesisSettings
from dfworkbench.show.tables import ReadableTable

ALL, SWAPS, EXPRESSIONS = "all fakes", "swaps", "reenactments"

_SCORED_FRAMES = 4  # of each video, for the AUC of detectors


class Study(study.Study[HypothesisSettings]):
    """One hypothesis on trained encoders and detectors."""

    def __init__(
        self, settings: HypothesisSettings, workspace: Workspace | None = None, *, progress: bool = True
    ) -> None:
        super().__init__(settings, workspace, progress=progress)
        self.models = {title: self.load(training.model_name) for title, training in settings.trainings().items()}
        first = self.models[CARRIER]
        for title, model in self.models.items():
            first.input_spec.require_same(model.input_spec, f"explaining the {title} beside the carrier's encoder")
        self.chosen = choose_pictures(
            self.data, first, kinds=settings.forgeries, per_kind=settings.images, seed=settings.seed
        )

    # -- pictures ------------------------------------------------------------------------------------------------------

    @cached_property
    def named(self) -> pd.DataFrame:
        """One row per selected picture: method, carrier, donor, the encoders' answers, and whether both were right."""
        rows = self.chosen.rows[["row_id", "forgery", "carrier", "donor"]].copy()
        for role in (CARRIER, DONOR):
            rows[f"named_{role}"] = named(self.models[role], self.chosen.images)
            rows[f"right_{role}"] = rows[f"named_{role}"] == rows[role]
        return rows.assign(used=self.settings.keep_wrong | (rows["right_carrier"] & rows["right_donor"]))

    @cached_property
    def pictures(self) -> Pictures:
        """The selected pictures whose people both encoders identify correctly, or all with `keep_wrong`.

        Raises:
            InputError: There is none.
        """
        used = self.named["used"].to_numpy()
        if not used.any():
            raise InputError(
                f"testing hypothesis {self.settings.hypothesis}: both people were named correctly in none of {len(used)} fakes, "
                "but what encoders look at says nothing where they are wrong. Train them longer "
                "(encoder_epochs), or larger (size_px)."
            )
        return self.chosen.take(used)

    def encoder_table(self) -> ReadableTable:
        """How well the encoders identify the people in the selected fakes, whole and with parts hidden."""
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
            rows[part] = {f"{role} named correctly": f"{hit.mean():.0%}" for role, hit in right.items()}
        people = len(self.models[CARRIER].detector.identities)  # pyright: ignore[reportArgumentType]
        rows["guessing"] = {f"{role} named correctly": f"{1 / people:.0%}" for role in (CARRIER, DONOR)}
        return ReadableTable(pd.DataFrame(rows).T.rename_axis(f"{len(self.chosen.rows)} fakes, {people} people"))

    def used_table(self) -> ReadableTable:
        """How many fakes of each kind are analysed, and how many were dropped because an encoder was wrong."""
        found = self.named.groupby("forgery")["used"].agg(["size", "sum"])
        table = pd.DataFrame(
            {"fakes": found["size"], "analysed": found["sum"], "left out": found["size"] - found["sum"]}
        )
        table.loc["all"] = table.sum()
        return ReadableTable(table.rename_axis("forgery kind"))

    # -- maps ----------------------------------------------------------------------------------------------------------

    @cached_property
    def attributions(self) -> Attributions:
        """Computes, or reads, the maps of all models on the pictures."""
        return Attributions(self.models, self.pictures, self.settings, progress=self.progress)

    @cached_property
    def explained(self) -> dict[str, Maps]:
        """Title of each model -> its attributions of the pictures."""
        return {title: self.attributions.maps(title) for title in self.models}

    def map_table(self) -> ReadableTable:
        """Cost and precision of the maps, and the difference between the values of hidden and whole pictures."""
        return map_table(self.explained)

    # -- hypothesis 1 --------------------------------------------------------------------------------------------------

    def groups(self) -> dict[str, NDArray[np.bool_]]:
        """All fakes, swaps and reenactments among the pictures; a reenacted face keeps the carrier's appearance."""
        reenacted = self.pictures.rows["forgery"].isin(REENACTMENTS).to_numpy()
        parts = {ALL: np.ones(len(reenacted), bool), SWAPS: ~reenacted, EXPRESSIONS: reenacted}
        return {name: part for name, part in parts.items() if part.any()}

    def overlap(self, null: str) -> dict[str, OverlapStudy]:
        """Hypothesis 1 for all fakes, swaps and reenactments, against one null; subsets too small for it are left out."""
        models = {title: self.explained[title] for title in (CARRIER, DONOR, DETECTOR)}
        names = self.pictures.rows["group"].to_numpy()
        return {
            name: overlap_study(
                {title: maps.values[part] for title, maps in models.items()},
                groups=names[part],
                null=null,
                errors={title: maps.errors[part] for title, maps in models.items()},
                seed=self.settings.seed,
            )
            for name, part in self.groups().items()
            if null != "images" or len(set(names[part])) > 1  # this null needs the cells of other people
        }

    def mask_measures(self) -> dict[str, list[Measure]]:
        """How well the maps of all models match the ground-truth masks, beside baselines; empty without masks."""
        known = self.pictures.has_mask
        if not known.any():
            return {}
        videos = self.data.videos
        fakes = videos[(videos["split"] == "train") & (videos["label"] == FAKE)]
        model = self.models[CARRIER]
        train = self.data.samples(model.input_spec, fakes, 1).rows
        masks, there = self.data.masks(model.input_spec, train)
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
        shared = {title: self.explained[title].values for title in (CARRIER, DONOR)}
        return [
            pairing_study(
                {**shared, **{kind: self.explained[f"{kind} {at + 1}"].values for kind in (PAIRED, UNPAIRED)}},
                groups=self.pictures.rows["group"].to_numpy(),
                seed=self.settings.seed,
            )
            for at in range(self.settings.pairings)
        ]

    def auc_table(self) -> ReadableTable:
        """Test AUC at video level: of the detector, or of paired and unpaired ones and their difference."""
        scores = {
            title: self.score(model, _SCORED_FRAMES)
            for title, model in self.models.items()
            if title not in (CARRIER, DONOR)
        }
        if self.settings.hypothesis != 2:
            columns = {title: [mean_auc("video AUC", [table], PEOPLE)[0]] for title, table in scores.items()}
            return ReadableTable(measures_table(columns, digits=3).drop(columns="chance"))
        columns: dict[str, list[Measure]] = {}
        for at in range(1, self.settings.pairings + 1):
            both = [scores[f"{kind} {at}"] for kind in (PAIRED, UNPAIRED)]
            name = f"pair {at}"
            for kind, table in zip((PAIRED, UNPAIRED), both, strict=True):
                columns.setdefault(kind, []).append(mean_auc(name, [table], PEOPLE)[0])
            columns.setdefault("difference", []).append(compare_auc(name, [both[0]], [both[1]], PEOPLE))
        return ReadableTable(measures_table(columns, digits=3).drop(columns="chance").rename_axis("video AUC"))

    # -- hypothesis 3 --------------------------------------------------------------------------------------------------

    @cached_property
    def versions(self) -> dict[str, NDArray[np.uint8]]:
        """Compression -> the pictures in it, cut at the same places.

        Raises:
            DataNotFoundError: The data set is gone, or lacks a compression.
        """
        root = self.data.root
        if root is None:
            raise DataNotFoundError(
                f"comparing compressions of {self.settings.dataset!r}: the folder that it was extracted from is not there, and "
                "frames of all compressions are read from its videos. Restore it, or extract it again."
            )
        faces = self.data.faces_of(self.pictures.rows)
        spec = self.models[CARRIER].input_spec
        return compressed_crops(root, self.data.videos, faces, spec, COMPRESSIONS)

    def stability(self) -> dict[str, StabilityStudy]:
        """Hypothesis 3 for carrier, donor and detector; noise is corrected with a second estimate of every map."""
        names = self.pictures.rows["group"].to_numpy()
        found = {}
        for title in (CARRIER, DONOR, DETECTOR):
            twice = [
                {
                    name: self.attributions.maps(title, images, seed=seed).values
                    for name, images in self.versions.items()
                }
                for seed in (self.settings.seed, self.settings.seed + 1)
            ]
            found[title] = stability_study(twice[0], names, again=twice[1], seed=self.settings.seed)
        return found

    # -- results -------------------------------------------------------------------------------------------------------

    def result(self) -> Result:
        """The test of the hypothesis: its table, its figure, and the underlying numbers."""
        number, detector = self.settings.hypothesis, self.settings.detector
        if number == 1:
            others = {null: self.overlap(null) for null in NULLS if null != self.settings.null}
            return overlap_result(self.overlap(self.settings.null), others, detector)
        return pairing_result(self.pairing(), detector) if number == 2 else stability_result(self.stability(), detector)

    def examples(self, count: int) -> list[int]:
        """Pictures to show: selected by seed, as many of each forgery kind as possible."""
        return pick(self.pictures.rows, count, self.settings.seed)

    def compare_methods(self, count: int) -> ReadableTable:
        """Deletion and insertion gains over random orders, in units of the explained value, for every attribution method."""
        title = next(name for name in self.models if name not in (CARRIER, DONOR))
        maps, gains = self.explained[title], []
        others = [name for name in METHODS if name != "shapley"]
        for at in self.examples(count):
            image, model = self.pictures.images[at], self.models[title]
            found = {"shapley": of_shapley(maps.found[at])}
            value, own = self.attributions.value(title, at), self.settings.attributions()
            found |= explain(model, image, others, value=value, settings=own)
            game = ImageGame(model, image, grid=own.grid, baseline=own.baseline, value=value)
            curves = deletion_and_insertion(game, found, seed=own.seed)
            gains += [
                {"method": METHODS[name], "deletion": curve.deletion_gain, "insertion": curve.insertion_gain}
                for name, curve in curves.items()
            ]
        return gains_table(gains, f"{title}, {count} fakes (mean ± s.d.)")

    # -- files ---------------------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Folder for results: in the run of the (first) detector tested."""
        last = next(model for title, model in self.models.items() if title not in (CARRIER, DONOR))
        own = self.settings.content_hash(without=("preset",))
        return last.path.parent / "hypotheses" / f"{self.settings.hypothesis}_{own}"

    def save(self, result: Result, figures: Mapping[str, Figure] | None = None) -> Path:
        """Write all results into `folder`; see `results.save_result`."""
        record = {
            "settings": self.settings.model_dump(mode="json"),
            "runs": {title: f"{model.path.parent.name}/{model.path.name}" for title, model in self.models.items()},
            "left_out": int((~self.named["used"]).sum()),
            "maps": {title: [a.to_dict() for a in maps.found] for title, maps in self.explained.items()},
        }
        arrays = {title: maps.values for title, maps in self.explained.items()}
        arrays |= {f"{title} error": maps.errors for title, maps in self.explained.items()}
        tables = {"pictures": self.pictures.rows, "named": self.named, **result.tables}
        return save_result(self.folder, record, result._replace(tables=tables), arrays, figures or {})
