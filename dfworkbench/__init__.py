"""dfworkbench: an interactive workbench for deepfake forensics.

The names below are imported on first use, so `import dfworkbench` is fast and does not load torch.
"""

from typing import TYPE_CHECKING

from dfworkbench.core.lazy_names import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dfworkbench.core.input_spec import InputSpec as InputSpec
    from dfworkbench.core.names import FAKE as FAKE
    from dfworkbench.core.names import REAL as REAL
    from dfworkbench.datasets.dataset import DataSet as DataSet
    from dfworkbench.evaluation.metrics.evaluate import evaluate as evaluate
    from dfworkbench.evaluation.scoring.score import score as score
    from dfworkbench.evidence.examine import case_file as case_file
    from dfworkbench.extraction.extract import extract as extract
    from dfworkbench.models import build_detector as build_detector
    from dfworkbench.models import list_detectors as list_detectors
    from dfworkbench.runs.checkpoints import load_detector as load_detector
    from dfworkbench.runs.run import Run as Run
    from dfworkbench.training.start import train as train

_HOMES = {
    "DataSet": "dfworkbench.datasets.dataset",
    "FAKE": "dfworkbench.core.names",
    "REAL": "dfworkbench.core.names",
    "InputSpec": "dfworkbench.core.input_spec",
    "Run": "dfworkbench.runs.run",
    "build_detector": "dfworkbench.models",
    "case_file": "dfworkbench.evidence.examine",
    "evaluate": "dfworkbench.evaluation.metrics.evaluate",
    "extract": "dfworkbench.extraction.extract",
    "list_detectors": "dfworkbench.models",
    "load_detector": "dfworkbench.runs.checkpoints",
    "score": "dfworkbench.evaluation.scoring.score",
    "train": "dfworkbench.training.start",
}
__all__ = [*sorted(_HOMES), "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
