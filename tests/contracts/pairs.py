"""Small versions of every detector, and batches for them."""

import copy
import functools

import numpy as np
import torch
from torch import nn

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models import build_detector, detector_options
from dfworkbench.training.registry import build_method, load_method, own_method

#: Made small by the options that a detector has.
SMALL = {
    "size_px": 64, "clip_length": 3, "classes": 5, "blocks": 2, "features": 8, "layers": 2, "depth": 18
}  # fmt: skip
#: Without chance of their own, and on weights that nothing has trained.
METHOD_OPTIONS = {"mi_net": {"mixup": 0.0}, "resynthesis": {"allow_undertrained": True}}

#: Methods that only change the samples of plain training, which is tested with every detector: a few are enough for them.
ONLY_WITH = {"sbi": ("mesonet4", "timm:resnet10t")}

#: Of the networks of timm that can be named as detectors, a convolutional one and a transformer; both are small.
OF_TIMM = ("timm:resnet10t", "timm:test_vit")

#: The code of another detector, only wider or deeper, or of two others put together: they are built, scored and saved here;
#: training, and that samples of a batch do not influence each other, is tested on the others.
TWINS = {f"efficientnet_b{i}" for i in range(1, 8)} | {
    "caddm_efficientnet_b3", "caddm_efficientnet_b4", "caddm_resnet34", "efficientnet_b0_lstm", "efficientnet_b3_lstm",
    "mi_net_resnet18", "mi_net_resnet34", "resnet34", OF_TIMM[1]
} | {f"mi_net_efficientnet_b{i}" for i in range(8)} | {f"resynthesis_stage{i}" for i in (1, 2, 3, 4)}  # fmt: skip

#: Twins with up to 270 million parameters, seconds for each check. They show shapes and that scores repeat; the rest is shown by
#: caddm_resnet18 and mi_net_mobilenet, which run the same code, and by the EfficientNets, their backbones.
GIANTS = {"caddm_efficientnet_b3", "caddm_efficientnet_b4"} | {f"mi_net_efficientnet_b{i}" for i in range(8)}


def fits(method: str, detector: str) -> bool:
    """Whether this detector is made for this method, or for any, and the pair is worth testing."""
    if detector not in ONLY_WITH.get(method, (detector,)):
        return False
    own = own_method(detector)
    return own == method or (own == "binary" and not load_method(method).own_detectors)


def small_detector(name: str, *, dropout: float | None = None) -> nn.Module:
    """A detector with seeded weights, at 64 px and 3 frames where it lets one choose."""
    known = detector_options(name)
    wanted = SMALL if dropout is None else SMALL | {"dropout": dropout}
    torch.manual_seed(0)
    return build_detector(name, **{key: value for key, value in wanted.items() if key in known})


def small_options(name: str) -> dict:
    return {key: value for key, value in SMALL.items() if key in detector_options(name)}


#: Filling a network with random numbers takes several times as long as copying it, and tests of a pair come one after the other.
_last_built = functools.lru_cache(maxsize=2)(small_detector)


def small_method(method: str, detector: str, *, dropout: float | None = None, **options) -> nn.Module:
    own = copy.deepcopy(_last_built(detector, dropout=dropout))
    torch.manual_seed(0)
    return build_method(method, own, **METHOD_OPTIONS.get(method, {}) | options)


def make_batch(spec: InputSpec, labels: list[int], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random pictures, each of a shade of its own."""
    rng = np.random.default_rng(seed)
    shape = (len(labels), *spec.sample_shape())
    shade = rng.uniform(60, 190, size=(len(labels), *[1] * (len(shape) - 1)))
    images = np.clip(shade + rng.normal(0, 25, size=shape), 0, 255).astype(np.uint8)
    # what the facial swap of caddm adds; a real picture has no window, and not every fake has one
    windows = torch.tensor(
        [[0.2, 0.1, 0.75, 0.5] if label and i % 4 == 1 else [np.nan] * 4 for i, label in enumerate(labels)]
    )
    batch = {"label": torch.tensor(labels), "row": torch.arange(len(labels)), "window": windows}
    # who is shown, for methods that learn it
    batch |= {"carrier": torch.arange(len(labels)) % 5, "donor": torch.arange(len(labels)).flip(0) % 5}
    return {"images": torch.from_numpy(images), **batch}


def settle_norms(detector: nn.Module, images: torch.Tensor) -> None:
    """Give batch norms the statistics of these images; with their first ones deep networks answer the same to all."""
    norms = [module for module in detector.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        detector.train()(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    detector.eval()
