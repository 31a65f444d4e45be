"""Settings of a training run. Their fields are the widgets of notebook 02_train and its parameters."""

from typing import Any, Literal

from pydantic import Field, field_validator

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.settings import parse_options
from dfworkbench.datasets.perturb.augment import AugmentSettings
from dfworkbench.training.registry import load_method, own_method

#: Fields that cannot change what is learned, so a run may be continued with other values.
FREE_FIELDS = ("name", "device", "threads", "workers", "cache_mb")


class TrainSettings(AugmentSettings):
    """What to train, on what, and how; the augmentation fields come from `AugmentSettings`."""

    dataset: str = Field(
        default="demo", min_length=1, description="Data set: a folder of labels/ with tables and splits."
    )
    detector: str = Field(default="mesonet4", description="Network, one of list_detectors().")
    method: str = Field(
        default="auto", description="Training method, one of list_methods(); auto takes the one of the detector."
    )
    start_from: str = Field(
        default="", description="Checkpoint whose weights training starts from; empty: fresh or ImageNet."
    )
    name: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][\w.+-]*)?$",
        description="Folder of the run in checkpoints/; empty makes one from the settings.",
    )
    kinds: list[str] = Field(
        default=[], description="Forgery kinds to train and validate on, with all real files; empty: all kinds."
    )
    pairing: Literal["all", "paired", "unpaired"] = Field(
        default="all",
        description="Half of the fakes with genuine videos of their own people, or of others (FST-Matching, hypothesis 2).",
    )
    pairing_seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Halves the people for pairing.")
    pairing_swap: bool = Field(default=False, description="Takes the other half of the people for pairing.")
    epochs: int = Field(default=5, ge=1, le=1000, description="Passes over the training split.")
    batch_size: int = Field(default=32, ge=1, le=4096, description="Samples per step, over all processes.")
    optimizer: Literal["adamw", "adam", "sgd"] = Field(
        default="adamw", description="How weights are moved; sgd has a momentum of 0.9."
    )
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Step size of the optimiser.")
    weight_decay: float = Field(
        default=1e-4, ge=0, le=1, description="Pull of weights towards zero; biases and norms are spared."
    )
    schedule: Literal["constant", "cosine", "steps", "waves"] = Field(
        default="cosine",
        description="How the learning rate goes over the run; steps follows rate_steps, waves goes down and up every 300 steps.",
    )
    rate_steps: list[str] = Field(
        default=[], description="Other learning rates from an epoch on, as epoch=rate, for the schedule steps."
    )
    halve_rate: bool = Field(
        default=False,
        description="Halve the learning rate when the validation loss rose anywhere in the last five epochs.",
    )
    leaky: bool = Field(
        default=False,
        description="Train although the leakage audit is red; the run and all its results say so for ever.",
    )
    balance: Literal["loss", "sample", "repeat", "none"] = Field(
        default="loss",
        description="Unequal classes: weigh the loss, draw both equally often, repeat the rarer one, or leave them.",
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, le=0.5, description="How far the targets 0 and 1 are moved towards one half."
    )
    gradient_clip: float = Field(default=0.0, ge=0, description="Largest norm of the gradient; 0 does not limit it.")
    value_clip: float = Field(
        default=0.0, ge=0, description="Largest entry of the gradient, each cut by itself; 0 does not limit it."
    )
    frames_per_video: int = Field(
        default=16, ge=1, le=1000, description="Faces or clips per track, evenly over its time."
    )
    tracks: Literal["main", "all"] = Field(
        default="main",
        description="People per file: the forged one where masks tell, else the largest; or all of them.",
    )
    size_px: int | None = Field(
        default=None, ge=16, le=1024, description="Input size, for detectors that have a choice; empty: their own."
    )
    detector_options: list[str] = Field(default=[], description="Further options of the detector, as name=value.")
    method_options: list[str] = Field(default=[], description="Further options of the training method, as name=value.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Fixes first weights, order and random changes.")
    precision: Literal["32-true", "bf16-mixed"] = Field(
        default="32-true", description="Numbers to compute with; bf16 is for GPUs, and CPUs with AMX or AVX-512 BF16."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where to compute; auto takes a GPU if there is one."
    )
    threads: int = Field(default=0, ge=0, le=256, description="CPU threads of torch; 0 leaves them as they are.")
    workers: int = Field(default=0, ge=0, le=64, description="Processes that read samples; 0 reads in this one.")
    cache_mb: int = Field(default=2000, ge=0, description="Memory for decoded crops, in megabytes.")

    @field_validator("rate_steps")
    @classmethod
    def _are_steps(cls, values: list[str]) -> list[str]:
        for value in values:
            epoch, _, rate = value.partition("=")
            try:
                valid = int(epoch) >= 1 and 0 < float(rate) <= 1
            except ValueError:
                valid = False
            if not valid:
                raise ValueError(
                    f"{value!r} is no epoch=rate pair with epoch from 1 and rate in 0 to 1, such as 5=1e-4"
                )
        return values

    @field_validator("detector_options", "method_options")
    @classmethod
    def _are_pairs(cls, values: list[str]) -> list[str]:
        for value in values:
            if "=" not in value:
                raise ValueError(f"{value!r} is no name=value pair, such as dropout=0.3")
        return values

    @classmethod
    def published(cls, method: str, **values: Any) -> "TrainSettings":
        """Settings as a method was published with; `values` go before them.

        Raises:
            UnknownNameError: There is no such method.
            ParameterError: No settings are known for it.
        """
        known = getattr(load_method(method), "published", None)
        if known is None:
            raise ParameterError(
                f"asking for the published settings of the method {method!r}: none are known. Give your own: TrainSettings("
                f"method={method!r}, …)."
            )
        return cls(**{**known, **values})

    @property
    def model_name(self) -> str:
        """Name of the run's folder: `name`, or detector, data set and a hash of what decides the result."""
        if self.name:
            return self.name
        # auto and the method it stands for make one run
        same = self.replace(method="auto") if self.method == own_method(self.detector) else self
        # settings at their defaults do not count, so that a setting which is added one day renames no run
        plain = [name for name, field in type(self).model_fields.items() if getattr(same, name) == field.default]
        end = "_leaky" if self.leaky else ""
        return f"{self.detector}_{self.dataset}_{same.content_hash(without=(*FREE_FIELDS, *plain))}{end}"

    @property
    def method_name(self) -> str:
        """The training method, `auto` being resolved."""
        return own_method(self.detector) if self.method == "auto" else self.method

    def build_options(self) -> dict[str, Any]:
        """Options for `build_detector`."""
        size = {} if self.size_px is None else {"size_px": self.size_px}
        return size | parse_options(self.detector_options)

    def augmentation(self) -> AugmentSettings:
        """The augmentation fields alone."""
        return AugmentSettings(**{name: getattr(self, name) for name in AugmentSettings.model_fields})

    def changed_fields(self, stored: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Fields that decide the result and differ from those of a stored run: name -> (stored, now)."""
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        free = {*FREE_FIELDS} if self.schedule == "cosine" else {*FREE_FIELDS, "epochs"}
        now, own = self.model_dump(mode="json"), own_method(self.detector)
        then = {name: stored.get(name, defaults[name]) for name in now}
        if then["detector"] == self.detector:  # auto and what it stands for are the same
            now["method"], then["method"] = (own if m == "auto" else m for m in (self.method, then["method"]))
        return {name: (then[name], now[name]) for name in now if name not in free and then[name] != now[name]}
