"""YAML metadata of a model card, by which Hugging Face and its leaderboards find a run and its metrics."""

import math
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.domain import UNKNOWN
from dfworkbench.sharing.figures import METRICS, Figures


def card_metadata(name: str, spec: InputSpec, figures: list[Figures], licence: str) -> str:
    """The metadata as YAML.

    Args:
        name: Name of the run.
        spec: Input of the detector.
        figures: Its metrics; undefined ones are left out.
        licence: Licence of the weights, as Hugging Face names it; "": left out.
    """
    task = "image-classification" if spec.clip_length == 1 else "video-classification"
    results = [
        EvalResult(
            task_type=task,
            task_name="Deepfake detection",
            dataset_type=found.data or UNKNOWN,
            dataset_name=f"{found.data or UNKNOWN} ({found.split})",
            dataset_split=found.split,
            metric_type=METRICS[row.metric][1],
            metric_name=f"{METRICS[row.metric][0]} per file" + _ends(row),
            metric_value=round(float(row.value), 4),
        )
        for found in figures
        for row in found.table.itertuples()
        if not math.isnan(row.value)
    ]
    data = ModelCardData(
        license=licence or None,
        library_name="dfworkbench",
        pipeline_tag=task,
        tags=["deepfake-detection", "image-forensics"],
        model_name=name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml()


def _ends(row: Any) -> str:
    return "" if math.isnan(row.low) else f" (95 % interval {row.low:.3f} to {row.high:.3f})"
