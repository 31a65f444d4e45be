"""Study of notebook 08_forgery_clues: MI_Net with and without its information losses, and what its blocks know."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.names import FAKE
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.rows import pick
from dfworkbench.evaluation.metrics.compare import compare_auc, drawn_metric
from dfworkbench.evaluation.metrics.interval import PEOPLE
from dfworkbench.evaluation.metrics.measures import Measure, measures_frame, measures_table
from dfworkbench.explain import study
from dfworkbench.explain.explanations import explain
from dfworkbench.explain.shapley.attribution_map import AttributionSettings
from dfworkbench.explain.study import SEEN, UNSEEN, in_condition
from dfworkbench.methods.mi_net.head_outputs import BlockShare, HeadOutputs, head_outputs
from dfworkbench.methods.mi_net.information import accuracy_measures, information_measures, map_overlap, missed_measures
from dfworkbench.methods.mi_net.settings import HEADS, NONE, VARIANTS, ClueStudySettings
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.runs.run import Run
from dfworkbench.show.tables import ReadableTable

_SHARE = 0.2  # share of a map's cells that count as highest


class Study(study.Study[ClueStudySettings]):
    """The trained variants, and measurements on people they have not seen.

    A head that no loss trains keeps its random initial weights and is meaningless: it is not evaluated.
    """

    def __init__(
        self, settings: ClueStudySettings, workspace: Workspace | None = None, *, progress: bool = True
    ) -> None:
        super().__init__(settings, workspace, progress=progress)
        second = DataSet(settings.second, self.workspace)
        there = settings.second not in ("", settings.dataset) and second.is_extracted
        self.second = second if there else None
        self.names = {variant: training.model_name for variant, training in settings.trainings().items()}
        self.runs = {variant: self.load(name) for variant, name in self.names.items()}

    # -- scores --------------------------------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> dict[str, dict[str, pd.DataFrame]]:
        """Variant -> condition -> score table."""
        own = self.settings
        return {
            variant: self.conditions(detector, own.forgeries, own.frames, self.second)
            for variant, detector in self.runs.items()
        }

    def _of(self, condition: str, rows: pd.DataFrame) -> pd.Series:
        return in_condition(condition, rows, self.settings.forgeries)

    def results(self) -> pd.DataFrame:
        """AUC of every variant and condition, for `plot_comparison`."""
        rows = []
        for variant, tables in self.scores.items():
            for condition, table in tables.items():
                found = drawn_metric(condition, table, PEOPLE)[0]
                rows.append({"detector": variant, "condition": condition, **found._asdict()})
        return pd.DataFrame(rows)

    def auc_table(self) -> ReadableTable:
        """AUC with intervals over people, and the paired differences from training without information losses, or without heads."""
        columns = {
            variant: [drawn_metric(condition, table, PEOPLE)[0] for condition, table in tables.items()]
            for variant, tables in self.scores.items()
        }
        for control in (NONE, HEADS):
            for variant in [name for name in self.scores if control in self.scores and name not in (NONE, control)]:
                columns[f"{variant} minus {control}"] = [
                    compare_auc(condition, [table], [self.scores[control][condition]], PEOPLE)
                    for condition, table in self.scores[variant].items()
                ]
        table = measures_table(columns, digits=3).drop(columns="chance")
        return ReadableTable(table.rename_axis("video AUC, new people"))

    # -- heads ---------------------------------------------------------------------------------------------------------

    @cached_property
    def outputs(self) -> dict[str, HeadOutputs]:
        """Variant -> outputs of all heads at its best epoch on the test split."""
        return {variant: self._heads(detector, self.test) for variant, detector in self.runs.items()}

    def _heads(self, detector: LoadedDetector, videos: pd.DataFrame) -> HeadOutputs:
        samples = self.data.samples(detector.input_spec, videos, self.settings.frames)
        return head_outputs(detector, samples, progress=self.progress)

    def information(self) -> dict[str, list[Measure]]:
        """Variant -> information of each block alone and loss in the global vector, for trained kinds and unseen people."""
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
        """Entropy of these samples' labels in nats: an upper bound of the information."""
        rows = next(iter(self.outputs.values())).rows
        labels = rows.loc[self._of(SEEN, rows), "label"]
        shares = labels.value_counts(normalize=True).to_numpy()
        return float(-(shares * np.log(shares)).sum())

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The same for every epoch, for `plot_block_information`: one row per variant, epoch and measure."""
        videos = self.test[self._of(SEEN, self.test)]
        parts = []
        for variant, history in self.histories().items():
            for epoch in history["epoch"] if any(VARIANTS[variant]) else ():
                detector = self.load(self.names[variant], int(epoch))
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
        """Both conditions as text, and the increase of the log loss without each block."""
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
        """Variant -> history of its run, for `plot_loss_weights`."""
        return {variant: Run.open(name, self.workspace).history for variant, name in self.names.items()}

    # -- maps ----------------------------------------------------------------------------------------------------------

    @property
    def explained(self) -> str:
        """The variant whose blocks are explained: the first one whose head of all blocks is trained; "" if there is none."""
        return next((variant for variant in self.runs if any(VARIANTS[variant])), "")

    @cached_property
    def examples(self) -> dict[str, Any]:
        """Fakes of unseen people with a map of each block, for `plot_block_maps`; selected by seed, one of each kind first."""
        if not self.explained:
            return {"images": [], "maps": np.zeros((0, 0, 1, 1))}
        detector = self.runs[self.explained]
        samples = self.data.samples(detector.input_spec, self.test[self.test["label"] == FAKE], self.settings.frames)
        chosen = pick(samples.rows, self.settings.pictures, self.settings.seed)
        rows = samples.rows.iloc[chosen].reset_index(drop=True)
        images = np.stack([samples[row]["images"].numpy() for row in chosen]).transpose(0, 2, 3, 1)
        masks, known = self.data.masks(detector.input_spec, rows)
        return {
            "images": images,
            "maps": np.stack([self._maps(detector, images, rows, index) for index in range(self.settings.blocks)]),
            "titles": rows["forgery"].tolist(),
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
        """Similarity of the blocks' maps, beside that for other pictures, for `plot_map_overlap`."""
        maps = self.examples["maps"]
        found, others = map_overlap(maps, _SHARE), other_pictures(maps, _SHARE)
        names = {"cosine": "cosine", "iou": f"IoU of the highest {100 * _SHARE:.0f} % of the cells"}
        return {
            "likeness": {words: getattr(found, name) for name, words in names.items()},
            "others": {words: others[name] for name, words in names.items()},
        }


def other_pictures(maps: ArrayLike, share: float = _SHARE) -> dict[str, NDArray[np.float64]]:
    """Similarity of maps of different pictures for the same block: the baseline that is shared by any two maps.

    Args:
        maps: `(n, N, L, L)`, attribution of each of n blocks for N pictures.
        share: Share of the cells that count as highest.

    Returns:
        "cosine" and "iou", `(n,)` each, means over all pairs of pictures; NaN if there is no pair with maps.
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
