"""Notebook 08_forgery_clues: which losses MI_Net is trained with, and what is measured on its blocks."""

from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, field_validator

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.settings import Settings
from dfworkbench.datasets.dataset import Extracted, pick
from dfworkbench.evaluation.metrics.comparison import compare_auc, drawn_auc
from dfworkbench.evaluation.metrics.measures import Measure, measures_frame, measures_table
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.explain.explanations import explain
from dfworkbench.explain.shapley.attribution_map import AttributionSettings
from dfworkbench.methods.mi_net.head_outputs import BlockShare, HeadOutputs, head_outputs
from dfworkbench.methods.mi_net.information import accuracy_measures, information_measures, map_overlap, missed_measures
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector
from dfworkbench.show.tables import ReadableTable
from dfworkbench.training import TrainSettings
from dfworkbench.training.start import with_splits

SEEN, UNSEEN = "trained kinds", "other kinds"
NONE, HEADS = "none", "heads"
#: Variant -> whether it has the local, and the global information loss. Each brings further heads with cross-entropies of their
#: own, which train the blocks, too; `HEADS` has those of both, and no information loss.
VARIANTS = {
    NONE: (False, False),
    HEADS: (True, True),
    "global": (False, True),
    "local": (True, False),
    "both": (True, True),
}
_SHARE = 0.2  # of the cells of a map that are called the highest


class ClueStudySettings(Settings):
    """Which variants of MI_Net are compared, on what, and how their blocks are explained."""

    dataset: str = Field(default="demo", min_length=1, description="Extracted data set to train on.")
    second: str = Field(
        default="demo_celebdf",
        description="Another set, only for testing; left out where it is not extracted; empty for none.",
    )
    kinds: list[str] = Field(
        default=["Deepfakes", "Face2Face", "FaceSwap"],
        description="Forgery kinds to train on; the others are kept for testing.",
    )
    detector: str = Field(default="mi_net_mobilenet", description="A detector with local blocks, one of mi_net_….")
    variants: list[Literal["none", "heads", "global", "local", "both"]] = Field(
        default=["both", "none"],
        min_length=1,
        description="Information losses of each run; none trains the same network without any, heads trains all heads besides.",
    )
    distance: Literal["kl", "wasserstein", "sinkhorn"] = Field(
        default="kl", description="Of posteriors, inside the losses; measured is always the divergence."
    )
    weighting: Literal["automatic", "scales", "sum"] = Field(
        default="automatic", description="Weights of the losses: learned, the published fixed ones, or 1."
    )
    mixup: float = Field(
        default=0.0, ge=0, le=100, description="How far pictures are mixed in pairs; 0 mixes none, 0.5 is as published."
    )
    size_px: int = Field(default=112, ge=32, le=1024, description="Size of the crops; 224 is as published.")
    blocks: int = Field(default=3, ge=2, le=8, description="Networks that look at the same face; 4 is as published.")
    weights: str = Field(
        default="",
        description='Of every block at the start: "imagenet" or a file, not for MobileNets; empty: random ones.',
    )
    epochs: int = Field(default=6, ge=1, le=1000, description="Passes over the training split.")
    batch_size: int = Field(default=16, ge=2, le=4096, description="Faces per step.")
    frames_per_video: int = Field(default=8, ge=1, le=1000, description="Faces per video to train on.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Step size of AdamW, falling like a cosine.")
    frames: int = Field(default=8, ge=1, le=1000, description="Faces per video that are measured.")
    pictures: int = Field(default=5, ge=2, le=50, description="Fakes of which the blocks are explained.")
    attribution: Literal["occlusion", "shapley"] = Field(
        default="occlusion", description="How blocks are explained; Shapley values take many more passes."
    )
    grid: int = Field(default=8, ge=2, le=32, description="Cells along a side of the maps.")
    baseline: Literal["black", "mean", "blur"] = Field(default="mean", description="What hidden cells show.")
    evaluations: int = Field(default=384, ge=100, description="Budget of a map of Shapley values, in forward passes.")
    seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="Fixes weights, order, random changes, and the pictures shown."
    )
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        default="32-true",
        description="Numbers to train with; auto takes bf16 where the hardware has it, which slows MobileNets on CPUs.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where to compute; auto takes a GPU if there is one."
    )

    @field_validator("variants")
    @classmethod
    def _are_different(cls, values: list[str]) -> list[str]:
        if len(set(values)) < len(values):
            raise ValueError("a variant is named twice; name each once, such as both, none")
        return values

    def training(self, variant: str) -> TrainSettings:
        """Settings of one run: everything alike but the information losses."""
        local, whole = VARIANTS[variant]
        own = [
            f"local_loss={str(local).lower()}", f"global_loss={str(whole).lower()}",
            f"weighting={'scales' if variant == HEADS else self.weighting}", f"mixup={self.mixup:g}",
        ]  # fmt: skip
        if variant == HEADS:
            own.append('scales={"global": 0, "local": 0}')
        elif local or whole:
            own.append(f"distance={self.distance}")
        weights = [f"weights={self.weights}"] if self.weights else []
        precision = fast_precision(choose_device(self.device)) if self.precision == "auto" else self.precision
        return TrainSettings(
            dataset=self.dataset, kinds=self.kinds, detector=self.detector, method="mi_net", size_px=self.size_px,
            detector_options=[f"blocks={self.blocks}", *weights], method_options=own, epochs=self.epochs,
            batch_size=self.batch_size,
            frames_per_video=self.frames_per_video, learning_rate=self.learning_rate, seed=self.seed, precision=precision,
            device=self.device,
        )  # fmt: skip

    def trainings(self) -> dict[str, TrainSettings]:
        """What must be trained: variant -> settings."""
        return {variant: self.training(variant) for variant in self.variants}


class Study:
    """The trained variants, and what is measured on people that they have not seen.

    A head that no loss trains still has its random first weights, and says nothing: it is measured nowhere.

    Args:
        settings: Of the study; its runs must be trained.
        progress: Whether to show bars.
    """

    def __init__(self, settings: ClueStudySettings, *, progress: bool = True) -> None:
        self.settings, self.progress = settings, progress
        data = Extracted.read(settings.dataset)
        self.data = data._replace(videos=with_splits(data.videos, data.workspace.labels / data.name / "splits.csv"))
        self.test = self.data.videos[self.data.videos["split"] == "test"]
        there = settings.second and (data.workspace.labels / settings.second / "videos.csv").is_file()
        self.second = Extracted.read(settings.second) if there and settings.second != settings.dataset else None
        self.names = {variant: training.model_name for variant, training in settings.trainings().items()}
        self.runs = {variant: load_detector(name, settings.device) for variant, name in self.names.items()}

    # -- scores --------------------------------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> dict[str, dict[str, pd.DataFrame]]:
        """Variant -> condition -> score table."""
        return {variant: self._conditions(detector) for variant, detector in self.runs.items()}

    def _conditions(self, detector: LoadedDetector) -> dict[str, pd.DataFrame]:
        table = self._score(detector, self.data, self.test)
        tables = {name: table[self._of(name, table)] for name in (SEEN, UNSEEN)}
        tables = {name: table for name, table in tables.items() if (table["label"] == FAKE).any()}
        if self.second is not None:
            tables[self.second.name] = self._score(detector, self.second, self.second.videos)
        return tables

    def _score(self, detector: LoadedDetector, data: Extracted, videos: pd.DataFrame) -> pd.DataFrame:
        samples = data.samples(detector, videos, self.settings.frames)
        return score_rows(detector, samples, videos=videos, progress=self.progress)

    def _of(self, condition: str, rows: pd.DataFrame) -> pd.Series:
        """Which rows, or videos, belong to a condition: all real ones, and fakes of some kinds."""
        trained = rows["method"].isin(self.settings.kinds or rows["method"].unique())
        return (rows["label"] == REAL) | (trained if condition == SEEN else ~trained)

    def results(self) -> pd.DataFrame:
        """AUC of every variant and condition, for `plot_comparison`."""
        rows = []
        for variant, tables in self.scores.items():
            for condition, table in tables.items():
                found = drawn_auc(condition, table)[0]
                rows.append({"detector": variant, "condition": condition, **found._asdict()})
        return pd.DataFrame(rows)

    def auc_table(self) -> ReadableTable:
        """AUC with intervals over people, and the paired differences from training without information losses, or without heads."""
        columns = {
            variant: [drawn_auc(condition, table)[0] for condition, table in tables.items()]
            for variant, tables in self.scores.items()
        }
        for control in (NONE, HEADS):
            for variant in [name for name in self.scores if control in self.scores and name not in (NONE, control)]:
                columns[f"{variant} minus {control}"] = [
                    compare_auc(condition, [table], [self.scores[control][condition]])
                    for condition, table in self.scores[variant].items()
                ]
        table = measures_table(columns, digits=3).drop(columns="chance")
        return ReadableTable(table.rename_axis("video AUC, new people"))

    # -- heads ---------------------------------------------------------------------------------------------------------

    @cached_property
    def outputs(self) -> dict[str, HeadOutputs]:
        """Variant -> what all heads of its best epoch say of the test split."""
        return {variant: self._heads(detector, self.test) for variant, detector in self.runs.items()}

    def _heads(self, detector: LoadedDetector, videos: pd.DataFrame) -> HeadOutputs:
        samples = self.data.samples(detector, videos, self.settings.frames)
        return head_outputs(detector, samples, progress=self.progress)

    def information(self) -> dict[str, list[Measure]]:
        """Variant -> what each block knows alone and what the global vector loses, on trained kinds of new people."""
        return {
            variant: self._information(variant, found.where(self._of(SEEN, found.rows)))
            for variant, found in self.outputs.items()
            if any(VARIANTS[variant])
        }

    def _information(self, variant: str, found: HeadOutputs) -> list[Measure]:
        local, whole = VARIANTS[variant]
        *blocks, gap = information_measures(found.logits, found.rows["group"])
        return [*(blocks if local else ()), *([gap] if local or whole else ())]

    @property
    def most_information(self) -> float:
        """Entropy of the labels of these samples in nats: nobody can know more of them."""
        rows = next(iter(self.outputs.values())).rows
        labels = rows.loc[self._of(SEEN, rows), "label"]
        shares = labels.value_counts(normalize=True).to_numpy()
        return float(-(shares * np.log(shares)).sum())

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The same for every epoch, for `plot_block_information`: a row per variant, epoch and measure."""
        videos = self.test[self._of(SEEN, self.test)]
        parts = []
        for variant, history in self.histories().items():
            for epoch in history["epoch"] if any(VARIANTS[variant]) else ():
                detector = load_detector(self.names[variant], self.settings.device, epoch=int(epoch))
                found = self._information(variant, self._heads(detector, videos))
                parts.append(measures_frame({variant: found}).assign(epoch=int(epoch)))
        frame = pd.concat(parts, ignore_index=True) if parts else measures_frame({}).assign(epoch=0)
        return frame.rename(columns={"detector": "variant"})

    def accuracies(self, condition: str = SEEN) -> dict[str, list[Measure]]:
        """Variant -> accuracy of the decision, of all blocks together, and without each, as far as these heads are trained."""
        found = {}
        for variant, outputs in self.outputs.items():
            local, whole = VARIANTS[variant]
            part = outputs.where(self._of(condition, outputs.rows))
            if condition == UNSEEN and not (part.rows["label"] == FAKE).any():
                continue  # all kinds were trained
            decision, together, *without = accuracy_measures(part.logits, part.rows["label"], part.rows["group"])
            found[variant] = [decision, *([together] if local or whole else ()), *(without if local else ())]
        return found

    def accuracy_table(self) -> ReadableTable:
        """Both conditions as text, and how much log loss rises without each block."""
        columns = {
            f"{variant}, {condition}": [*measures, *self._missed(variant, condition)]
            for condition in (SEEN, UNSEEN)
            for variant, measures in self.accuracies(condition).items()
        }
        return ReadableTable(measures_table(columns).rename_axis("frames of new people"))

    def _missed(self, variant: str, condition: str) -> list[Measure]:
        if not VARIANTS[variant][0]:
            return []
        found = self.outputs[variant].where(self._of(condition, self.outputs[variant].rows))
        return missed_measures(found.logits, found.rows["label"], found.rows["group"])

    # -- losses --------------------------------------------------------------------------------------------------------

    def histories(self) -> dict[str, pd.DataFrame]:
        """Variant -> history.csv, for `plot_loss_weights`."""
        runs = self.data.workspace.checkpoints
        return {variant: pd.read_csv(runs / name / "history.csv") for variant, name in self.names.items()}

    # -- maps ----------------------------------------------------------------------------------------------------------

    @property
    def explained(self) -> str:
        """The variant whose blocks are explained: the first one whose head of all blocks is trained; "" where there is none."""
        return next((variant for variant in self.runs if any(VARIANTS[variant])), "")

    @cached_property
    def examples(self) -> dict[str, Any]:
        """Fakes of new people with a map of each block, for `plot_block_maps`; drawn by seed, one of each kind first."""
        if not self.explained:
            return {"images": [], "maps": np.zeros((0, 0, 1, 1))}
        detector = self.runs[self.explained]
        samples = self.data.samples(detector, self.test[self.test["label"] == FAKE], self.settings.frames)
        chosen = pick(samples.rows, self.settings.pictures, self.settings.seed)
        rows = samples.rows.iloc[chosen].reset_index(drop=True)
        images = np.stack([samples[row]["images"].numpy() for row in chosen]).transpose(0, 2, 3, 1)
        masks, known = self.data.masks(detector, rows)
        return {
            "images": images,
            "maps": np.stack([self._maps(detector, images, rows, index) for index in range(self.settings.blocks)]),
            "titles": rows["method"].tolist(),
            "masks": [mask if there else None for mask, there in zip(masks, known, strict=True)],
        }

    def _maps(
        self, detector: LoadedDetector, images: NDArray[np.uint8], rows: pd.DataFrame, index: int
    ) -> NDArray[np.float64]:
        """Maps of one block, `(N, L, L)`."""
        chosen = self.settings
        settings = AttributionSettings(
            grid=chosen.grid, baseline=chosen.baseline, evaluations=chosen.evaluations, seed=chosen.seed
        )
        found = [
            explain(detector, image, chosen.attribution, row_id=name, value=BlockShare(index), settings=settings)
            for image, name in zip(images, rows["row_id"], strict=True)
        ]
        return np.stack([each[chosen.attribution].values for each in found])

    def overlap(self) -> dict[str, Any]:
        """How alike the maps of blocks are, beside those of other pictures, for `plot_map_overlap`."""
        maps = self.examples["maps"]
        found, others = map_overlap(maps, _SHARE), other_pictures(maps, _SHARE)
        names = {"cosine": "cosine", "iou": f"IoU of the highest {100 * _SHARE:.0f} % of the cells"}
        return {
            "likeness": {words: getattr(found, name) for name, words in names.items()},
            "others": {words: others[name] for name, words in names.items()},
        }


def other_pictures(maps: ArrayLike, share: float = _SHARE) -> dict[str, NDArray[np.float64]]:
    """How alike maps of different pictures are for the same block: what two maps have in common that see different faces.

    Args:
        maps: `(n, N, L, L)`, attribution of each of n blocks for N pictures.
        share: Of the cells that are called the highest.

    Returns:
        "cosine" and "iou", `(n,)` each, means over all pairs of pictures; NaN where there is no pair with maps.
    """
    blocks = np.asarray(maps, dtype=np.float64)
    pairs = ~np.eye(blocks.shape[1], dtype=bool)
    means = {"cosine": [], "iou": []}
    for block in blocks:
        found = map_overlap(block[:, None], share)  # pictures in the place of blocks
        for name, values in means.items():
            defined = getattr(found, name)[pairs & (found.images > 0)]
            values.append(defined.mean() if defined.size else np.nan)
    return {name: np.array(values, dtype=np.float64) for name, values in means.items()}
