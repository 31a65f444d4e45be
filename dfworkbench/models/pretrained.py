"""Load published ImageNet weights from a file, torch's cache or their URL; hash-checked, no arbitrary unpickling."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError, UnknownNameError
from dfworkbench.core.offline import offline
from dfworkbench.media.foreign import load_torch

_EFFICIENTNET = "https://github.com/lukemelas/EfficientNet-PyTorch/releases/download/1.0/"
_TORCHVISION = "https://download.pytorch.org/models/"

#: Name -> URL. The last eight digits before the suffix are the beginning of the file's SHA-256.
IMAGENET_URLS = {
    "efficientnet_b0": _EFFICIENTNET + "efficientnet-b0-355c32eb.pth",
    "efficientnet_b1": _EFFICIENTNET + "efficientnet-b1-f1951068.pth",
    "efficientnet_b2": _EFFICIENTNET + "efficientnet-b2-8bb594d6.pth",
    "efficientnet_b3": _EFFICIENTNET + "efficientnet-b3-5fb5a3c3.pth",
    "efficientnet_b4": _EFFICIENTNET + "efficientnet-b4-6ed6700e.pth",
    "efficientnet_b5": _EFFICIENTNET + "efficientnet-b5-b6417697.pth",
    "efficientnet_b6": _EFFICIENTNET + "efficientnet-b6-c76e70fd.pth",
    "efficientnet_b7": _EFFICIENTNET + "efficientnet-b7-dcc49843.pth",
    "resnet18": _TORCHVISION + "resnet18-f37072fd.pth",  # IMAGENET1K_V1 of torchvision, like the next two
    "resnet34": _TORCHVISION + "resnet34-b627a593.pth",
    "vgg19": _TORCHVISION + "vgg19-dcbb9e9d.pth",
}


def load_imagenet(net: nn.Module, name: str, weights: str = "imagenet", names: Mapping[str, str] | None = None) -> None:
    """Load ImageNet weights into a backbone without a classifier.

    Args:
        net: The backbone; classifier weights in the file are ignored.
        name: A key of `IMAGENET_URLS`.
        weights: "imagenet" (torch's cache, else download) or the path of a file, safetensors or written by torch.save.
        names: Name of an entry in the file -> its name in `net`, if they differ.

    Raises:
        CheckpointError: The file is missing, is not a weight file, or belongs to another network.
    """
    if name not in IMAGENET_URLS:
        raise UnknownNameError(f"there are no known ImageNet weights for {name!r}. Known: {', '.join(IMAGENET_URLS)}.")
    file = _cached(name) if weights == "imagenet" else Path(weights).expanduser()
    try:
        state: Mapping[str, Tensor] = load_file(file) if file.suffix == ".safetensors" else load_torch(file)
    except FileNotFoundError:
        raise CheckpointError(
            f"loading ImageNet weights for {name}: there is no file {file}. Get {IMAGENET_URLS[name]}, or train from scratch "
            "with weights=''."
        ) from None
    except Exception as error:  # torch raises many exception types for a damaged file
        raise CheckpointError(
            f"loading ImageNet weights for {name}: {file} is not a readable file of weights ({error}). "
            f"Get it again from {IMAGENET_URLS[name]}."
        ) from error
    names = names or {}
    _load_backbone(net, {names.get(key, key): value for key, value in state.items()}, name, file)


def _cached(name: str) -> Path:
    url = IMAGENET_URLS[name]
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not file.is_file():
        try:
            if switch := offline():
                raise OSError(f"{switch} forbids connections")
            file.parent.mkdir(parents=True, exist_ok=True)
            prefix = file.stem.rsplit("-", 1)[-1]
            torch.hub.download_url_to_file(url, str(file), hash_prefix=prefix, progress=False)
        except (OSError, RuntimeError) as error:
            raise CheckpointError(
                f"loading ImageNet weights for {name}: they are not at {file}, and the download failed ({error}). Fetch {url} on "
                f"a machine with a network, then put it there or give its path as weights=…; weights='' trains from scratch."
            ) from error
    return file


def _load_backbone(net: nn.Module, state: Mapping[str, Tensor], name: str, file: Path) -> None:
    own = net.state_dict()
    wanted = {key: value for key, value in state.items() if key in own}
    missing = sorted(set(own) - set(wanted))
    wrong = [key for key, value in wanted.items() if value.shape != own[key].shape]
    if missing or wrong:
        first = (missing or wrong)[0]
        raise CheckpointError(
            f"loading ImageNet weights for {name}: {file} belongs to another network ({len(missing)} of {len(own)} entries are "
            f"missing, {len(wrong)} have another shape; first: {first}). Expected {IMAGENET_URLS[name]}."
        )
    net.load_state_dict(wanted)
