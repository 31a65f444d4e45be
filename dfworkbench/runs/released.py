"""Importers by name, and the call that loads what they read."""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from dfworkbench.core.names import require_name
from dfworkbench.runs.checkpoints import LoadedDetector

#: Kind -> "module:function"; the function returns (name of the detector, its options, the detector in eval mode).
IMPORTERS = {
    "caddm": "dfworkbench.methods.caddm.weights:load_caddm",
    "dfforensics": "dfworkbench.methods.mesonet.weights_dfforensics:load_dfforensics",
    "fst_matching": "dfworkbench.methods.fst_matching.weights:load_fst_matching",
    "mesonet": "dfworkbench.methods.mesonet.weights:load_mesonet",
    "mi_net": "dfworkbench.methods.mi_net.weights:load_mi_net",
    "resynthesis": "dfworkbench.methods.resynthesis.weights:load_resynthesis",
}


def load_released(kind: str, path: Path | str, **options: Any) -> LoadedDetector:
    """Load published weights.

    Args:
        kind: Whose, a key of `IMPORTERS`.
        path: The file as its authors published it.
        options: Of the importer.

    Returns:
        A detector that can be scored, explained, fine-tuned and saved like any other. It answers with the log-odds of
        *fake* and carries the InputSpec of its authors, whatever the file's own convention is.

    Raises:
        UnknownNameError: There is no importer of this kind, or it has no such option.
        DataNotFoundError: There is no such file; says where to get it.
        CheckpointError: The file is damaged or holds something else.
    """
    module, _, function = IMPORTERS[require_name("importer", kind, IMPORTERS)].partition(":")
    load: Callable[..., tuple[str, dict[str, Any], nn.Module]] = getattr(importlib.import_module(module), function)
    known = list(inspect.signature(load).parameters)[1:]
    for option in options:
        require_name(f"option of the importer {kind!r}", option, known)
    name, build_options, detector = load(path, **options)
    record = {"detector": name, "options": build_options, "source": {"kind": kind, "file": Path(path).name}}
    spec: Any = detector.input_spec
    return LoadedDetector(detector, name, spec, record, Path(path))
