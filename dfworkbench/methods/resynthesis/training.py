"""Training of re-synthesis detectors, stages 2 and 3 of "Beyond the Spectrum".

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376. Stage 1 trains
the re-synthesiser (`super_resolution`). Here, stage 2 trains the classifier on the residual with the re-synthesiser frozen; stage 3
(`joint`) trains both: cross-entropy of real and fake + the reconstruction loss of the real pictures, whose small versions are
sometimes degraded by noise or loss of colour (`restoration`). Start stage 3 from a run of stage 2 (`start_from`).

Differences from the released code:
- Its stage 3 does not train the re-synthesiser, which is built frozen and changes by exactly 0. Ours does, with both losses.
- It multiplies the gradients of the classifier by 0.02, but not the weight decay. This equals a learning rate of 2e-4 instead of
  1e-2 with a weight decay of 5e-3 instead of 1e-4, which are our published settings. In stage 3 there are two explicit rates.
- `compat="released"` restores both, for comparison.
- One real picture in a batch is enough for the reconstruction loss; there it takes two.
- With several processes, the reconstruction loss is divided by the number of real pictures in the whole batch, as in a single
  process.
- Classes can be balanced.
- Stages may be those of a trained detector from a run (`features_from`) instead of VGG-19's.
"""

import json
import math
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError, ParameterError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.perturb.picture_augment import PictureAugment
from dfworkbench.datasets.sample import Transform
from dfworkbench.methods.resynthesis.network_taps import NetworkTaps, options_without_weights
from dfworkbench.methods.resynthesis.rdn import box_down
from dfworkbench.methods.resynthesis.reconstruction_loss import STAGE_WEIGHTS, reconstruction_loss
from dfworkbench.methods.resynthesis.restoration import BatchTask, degrade_batch
from dfworkbench.methods.resynthesis.super_resolution import psnr_db
from dfworkbench.models import detector_options
from dfworkbench.models.inputs import prepare
from dfworkbench.models.vgg import VggTaps
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training.binary import Binary, ClassifierSettings
from dfworkbench.training.shares import share_of_processes
from dfworkbench.training.step import Step

#: A re-synthesiser below this on the test picture has not learned to make pictures; uniform mean grey has 11 dB.
LEAST_PSNR_DB = 15.0


def quarter_cosine(rate: float, epochs: int) -> list[str]:
    """The authors' learning rates, a quarter of a cosine, as `rate_steps`.

    They are rate * (0.9999 cos(pi/2 * e / (epochs - 1)) + 0.0001) for e = 0, 1, 2, … As in the released code, each epoch uses the
    rate meant for the one before, so that the first is used twice and the last never.
    """
    factors = (0.9999 * math.cos(math.pi / 2 * e / (epochs - 1)) + 0.0001 for e in range(epochs - 1))
    return [f"{e + 2}={rate * factor!r}" for e, factor in enumerate(factors)]


class ResynthesisSettings(ClassifierSettings):
    """Options of the method resynthesis."""

    renamed = {"trial": "allow_undertrained"}

    resynthesiser: str = Field(
        default="",
        description="Run, run folder or weight file of stage 1; empty: the detector has its re-synthesiser already, as after "
        "start_from.",
    )
    features_from: str = Field(
        default="",
        description="Run, run folder or weight file of the trained detector whose stages are compared, where the detector has a "
        "feature_network; empty: it has its weights already, as after start_from.",
    )
    joint: bool = Field(default=False, description="Train the re-synthesiser too (stage 3).")
    resynthesiser_rate: float = Field(
        default=1e-4, gt=0, le=1, description="Learning rate of the re-synthesiser at the start of stage 3."
    )
    task: BatchTask = Field(
        default="none", description="Degradation of the small pictures of every other batch in the reconstruction loss."
    )
    reconstruction_weight: float = Field(
        default=1.0, gt=0, le=1000, description="Factor of the reconstruction loss; published: 1."
    )
    perceptual: bool = Field(
        default=False, description="Add the features' part to the reconstruction loss, as published."
    )
    vgg_weights: str = Field(
        default="",
        description="Weights of VGG-19, imagenet or the path of a file, for perceptual with a detector without five stages of it.",
    )
    allow_undertrained: bool = Field(
        default=False,
        description="Allow an untrained re-synthesiser and features of random weights; results are not evidence about the method.",
    )
    compat: Literal["", "released"] = Field(
        default="",
        description="released: as the authors' code, freeze the re-synthesiser in stage 3 and scale gradients.",
    )
    gradient_scale: float = Field(
        default=0.02, gt=0, le=1000, description="Factor of the classifier's gradients with compat=released."
    )

    @model_validator(mode="after")
    def _only_stage_3_reconstructs(self) -> Self:
        if not self.joint and (self.task != "none" or self.perceptual):
            raise ValueError(
                f"task = {self.task!r}, perceptual = {self.perceptual} belong to the reconstruction loss, which only stage 3 has; "
                "set joint=true, or leave them out"
            )
        return self


class ResynthesisTraining(Binary):
    """Cross-entropy of real and fake, and in stage 3 the reconstruction loss of the real pictures.

    For a detector of several classifiers (resynthesis_fused) the cross-entropies of all of them are added. Options:
    `ResynthesisSettings`.
    """

    Settings = ResynthesisSettings
    settings: ResynthesisSettings
    own_detectors = True
    run_options = ("resynthesiser", "features_from")
    # stage 2, on 25,000 real and 25,000 fake pictures of 1024 x 1024; add stage 1: method_options={"resynthesiser": …}
    published = {
        "method": "resynthesis", "detector": "resynthesis_pixel", "size_px": 1024, "epochs": 100, "batch_size": 10,
        "optimizer": "sgd", "learning_rate": 2e-4, "schedule": "steps", "rate_steps": quarter_cosine(2e-4, 100),
        "weight_decay": 5e-3, "balance": "none", "frames_per_video": 1,
    }  # fmt: skip

    def __init__(self, detector: Any, **options: Any) -> None:
        super().__init__(detector, **options)
        chosen = self.settings
        self.gradient_scale = chosen.gradient_scale if chosen.compat else 1.0
        #: The weight file of stage 1, if one was loaded.
        self.resynthesiser_file = _load_resynthesiser(detector, chosen.resynthesiser) if chosen.resynthesiser else None
        #: The weight file of the feature network, if one was loaded.
        self.features_file = _load_features(detector, chosen.features_from) if chosen.features_from else None
        self.trains_resynthesiser = chosen.joint and not chosen.compat
        detector.resynthesiser.requires_grad_(self.trains_resynthesiser)
        detector.resynthesiser.checkpointing = self.trains_resynthesiser
        # if the detector has all five stages, they serve both
        shared = detector.vgg is not None and detector.vgg.stages == len(STAGE_WEIGHTS)
        self.own_vgg = VggTaps(chosen.vgg_weights) if chosen.perceptual and not shared else None
        if not chosen.allow_undertrained:
            _require_trained(detector, self.own_vgg)

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`.

        Parts: bce, and when training in stage 3 l1 and perceptual, for the real pictures.
        """
        pictures = prepare(batch["images"], self.detector.input_spec, type(self.detector).__name__)
        prediction = self.detector(pictures)
        logits = [prediction.aux[f"{name}_logits"] for name in self.detector.classifiers]
        cross_entropy = torch.stack([self.cross_entropy(z[:, FAKE] - z[:, REAL], batch["label"]) for z in logits]).sum()
        parts = {"bce": cross_entropy}
        # keeps the value; with a frozen re-synthesiser, all of its gradients are those of the classifiers
        loss = self.gradient_scale * cross_entropy + (1 - self.gradient_scale) * cross_entropy.detach()
        if self.settings.joint and self.training:
            found = self._reconstruction(pictures, batch["label"])
            loss = loss + self.settings.reconstruction_weight * sum(found.values(), torch.zeros_like(loss))
            parts |= found
        return Step(loss, parts, prediction.logit)

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """The classifiers, and in stage 3 the re-synthesiser; the authors' weight decay applies to biases and norms too."""
        modules = [(self.detector.classifiers, learning_rate)]
        if self.trains_resynthesiser:
            modules.append((self.detector.resynthesiser, self.settings.resynthesiser_rate))
        return [
            {"params": list(module.parameters()), "lr": rate, "weight_decay": weight_decay} for module, rate in modules
        ]

    def train_transform(self) -> Transform:
        """A random window of the picture, mirrored at random."""
        return PictureAugment(hflip=0.5)

    def _reconstruction(self, pictures: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Parts of the reconstruction loss; empty if no picture is real."""
        real = (label == REAL).nonzero()[:, 0]
        share = len(real) / share_of_processes((label == REAL).sum()).to(pictures.dtype)
        # all pictures are degraded, so that processes draw the same random numbers
        low = degrade_batch(self.detector.low_resolution(pictures), self.settings.task)
        if not len(real):
            return {}
        made = self.detector.resynthesiser(low[real])
        vgg = (self.own_vgg or self.detector.vgg) if self.settings.perceptual else None
        parts = reconstruction_loss(made, pictures[real], vgg)
        return {name: part * share for name, part in parts.items()}


def _load_resynthesiser(detector: Any, source: str) -> Path:
    """Load weights of stage 1 into a detector; returns their file.

    Raises:
        CheckpointError: It is not a re-synthesiser, or has another geometry.
    """
    loaded: Any = load_detector(source)
    if not hasattr(loaded.detector, "rdn"):
        raise CheckpointError(
            f"loading the re-synthesiser {source!r}: {loaded.path} holds the detector {loaded.name!r}. Set resynthesiser to a run "
            "that was trained with detector = 'rdn', or use start_from to go on from a detector."
        )
    weights, own = loaded.detector.rdn.state_dict(), detector.resynthesiser.state_dict()
    if {key: value.shape for key, value in weights.items()} != {key: value.shape for key, value in own.items()}:
        stored = {**detector_options(loaded.name), **loaded.metadata["options"]}
        options = " ".join(f"{name}={stored[name]}" for name in ("features", "blocks", "layers"))
        raise CheckpointError(
            f"loading the re-synthesiser {source!r}: {loaded.path} has another geometry than the detector's, namely {options} and "
            f"scale={stored['scale']}. Build the detector with detector_options {options}; scale must be "
            f"{detector.resynthesiser.scale}."
        )
    detector.resynthesiser.load_state_dict(weights)
    return loaded.path


def _load_features(detector: Any, source: str) -> Path:
    """Load weights of a trained detector into the network whose stages are compared; returns their file.

    Raises:
        CheckpointError: The run is of another detector than the one built.
    """
    loaded = load_detector(source)
    options = options_without_weights(loaded.metadata["options"])
    taps: NetworkTaps | None = detector.network_taps
    # all options: those left out have their defaults
    wanted = {**detector_options(loaded.name), **options}
    built = {**detector_options(taps.name), **taps.options} if taps else {}
    if taps is None or taps.name != loaded.name or options_without_weights(built) != options_without_weights(wanted):
        seen = f"stages of {taps.name} with {taps.options}" if taps else "no feature_network"
        raise CheckpointError(
            f"loading the network whose stages are compared, {source!r}: {loaded.path} is a {loaded.name} with {options}, and the "
            f"detector was built with {seen}. Set detector_options feature_network={loaded.name} and "
            f"feature_options={json.dumps(options)}, or name another run with method_options features_from."
        )
    taps.load(loaded.detector)
    return loaded.path


def _require_trained(detector: Any, own_vgg: nn.Module | None) -> None:
    """Refuse a re-synthesiser that cannot make pictures, and features from random weights."""
    without = (
        "allow_undertrained=true continues anyway, to try things out; its results are not evidence about the method."
    )
    found = probe_psnr_db(detector.resynthesiser)
    if not found >= LEAST_PSNR_DB:
        raise ParameterError(
            f"the method resynthesis: the re-synthesiser makes a smooth test picture with {found:.1f} dB only, below "
            f"{LEAST_PSNR_DB:g} dB, so it has not learned to make pictures, and its residuals say nothing. Train one "
            "with detector = 'rdn' on real pictures first, and name its run with method_options resynthesiser=RUN (or start "
            f"from a detector that has one: start_from). {without}"
        )
    taps: NetworkTaps | None = detector.network_taps
    if taps is not None and not taps.is_trained:
        raise ParameterError(
            f"the method resynthesis: {taps.name}, whose stages are compared, has random weights, and features of random weights "
            f"say little about a picture. Name a run that trained it with method_options features_from=RUN. {without}"
        )
    for vgg, option in ((detector.vgg, "detector_options"), (own_vgg, "method_options")):
        if vgg is not None and not any(p.any() for name, p in vgg.named_parameters() if name.endswith("bias")):
            raise ParameterError(
                "the method resynthesis: VGG-19 has random weights (all its biases are 0), and features of random weights say "
                f"little about a picture. Set {option} vgg_weights=imagenet (downloaded once) or the path of the file. {without}"
            )


def probe_psnr_db(rdn: Any) -> float:
    """How well a re-synthesiser reproduces a smooth picture of 48 x 48 px that any trained one reproduces well, in dB."""
    parameter = next(rdn.parameters())
    rows, columns = torch.meshgrid(2 * [torch.linspace(0, math.pi, 48)], indexing="ij")
    waves = torch.stack([(rows + columns).sin(), (rows - 2 * columns).sin(), (2 * rows).cos()])
    picture = (0.5 + 0.4 * waves)[None].to(parameter)
    with torch.inference_mode():
        return float(psnr_db(rdn(box_down(picture, rdn.scale)), picture))
