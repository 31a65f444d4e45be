"""Settings of a training run. Their fields are the widgets of notebook 02_train and the flags of `dfworkbench train`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from dfworkbench.core.errors import DataNotFoundError, ParameterError
from dfworkbench.core.settings import hash_values, parse_options, write_options
from dfworkbench.datasets.perturb.augment import AugmentSettings
from dfworkbench.media.foreign import read_json
from dfworkbench.runs.run import Run
from dfworkbench.training.registry import load_method, own_method

#: Fields that do not affect what is learned, so a run may be continued with other values.
FREE_FIELDS = ("name", "device", "threads", "workers", "cache_mb")


class TrainSettings(AugmentSettings):
    """What to train, on which data, and how. `AugmentSettings` adds the random changes of faces.

    Former field names, and options in their former format (a list of "name=value" texts), are accepted.
    """

    renamed = {"kinds": "forgeries", "leaky": "allow_leaks"}

    dataset: str = Field(
        default="demo", min_length=1, description="Data set: a folder of labels/ with tables and splits."
    )
    detector: str = Field(default="mesonet4", description="Network, one of list_detectors() or timm:NAME.")
    method: str = Field(
        default="auto", description="Training method, one of list_methods(); auto: the one made for the detector."
    )
    start_from: str = Field(
        default="", description="Run or checkpoint to take the first weights from; empty: random or ImageNet weights."
    )
    name: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][\w.+-]*)?$",
        description="Folder of the run in checkpoints/; empty: a name made from the settings.",
    )
    forgeries: list[str] = Field(
        default=[], description="Forgeries to train and validate on, together with all real files; empty: all of them."
    )
    pairing: Literal["all", "paired", "unpaired"] = Field(
        default="all",
        description="Train on half of the fakes plus real videos of the same identities (paired) or of other identities "
        "(unpaired); hypothesis 2 of FST-Matching.",
    )
    pairing_seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="Seed of the random split of identities into two halves."
    )
    pairing_swap: bool = Field(default=False, description="Take the other half of the identities.")
    epochs: int = Field(default=12, ge=1, le=1000, description="Passes over the training split.")
    batch_size: int = Field(default=32, ge=1, le=4096, description="Samples per step, over all processes.")
    optimizer: Literal["adamw", "adam", "sgd"] = Field(
        default="adamw", description="Optimiser; sgd has a momentum of 0.9."
    )
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Highest learning rate.")
    weight_decay: float = Field(default=1e-4, ge=0, le=1, description="Weight decay, not of biases and norms.")
    schedule: Literal["constant", "cosine", "steps", "waves"] = Field(
        default="cosine",
        description="Learning rate over the run; steps follows rate_steps, waves goes down and up every 300 steps.",
    )
    rate_steps: list[str] = Field(
        default=[], description="Learning rates from an epoch on, as epoch=rate, for schedule=steps."
    )
    halve_rate: bool = Field(
        default=False,
        description="Halve the learning rate when the validation loss rose anywhere in the last five epochs.",
    )
    allow_leaks: bool = Field(
        default=False,
        description="Train despite a failed leakage audit; every result of the run then carries a warning.",
    )
    balance: Literal["loss", "sample", "repeat", "none"] = Field(
        default="loss",
        description="Unequal classes: weight the loss, sample both equally often, repeat the rarer class, or do nothing.",
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, le=0.5, description="Label smoothing: 0.1 turns the targets 0 and 1 into 0.05 and 0.95."
    )
    gradient_clip: float = Field(
        default=0.0, ge=0, description="Clip the norm of the gradient to this value; 0: no clipping."
    )
    value_clip: float = Field(
        default=0.0, ge=0, description="Clip every entry of the gradient to this value; 0: no clipping."
    )
    sam_rho: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="Sharpness-aware minimisation: how far weights are moved uphill before the gradient is taken (published: "
        "0.05); a step then takes twice as long. 0: off.",
    )
    trainable: Literal["all", "norm", "head"] = Field(
        default="all",
        description="Weights of the detector that are trained: all; norm: normalisation layers and the classifier (Yermakov et "
        "al. 2026); head: the classifier alone.",
    )
    ema_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Exponential moving average of the weights: share that stays at each step, such as 0.999 (Tarvainen and "
        "Valpola 2017). The averaged weights are validated, chosen and saved. 0: off.",
    )
    paired_batches: bool = Field(
        default=False,
        description="Put every fake into one batch with the same frame of the video it was made from (Yermakov et al. 2026); "
        "balance then has no effect, and genuine files without fakes are left out.",
    )
    frames_per_video: int = Field(
        default=16, ge=1, le=1000, description="Faces or clips per track, evenly spaced in time."
    )
    tracks: Literal["main", "all"] = Field(
        default="main",
        description="People per file; main: the forged one if there are masks, else the largest face; all: everyone.",
    )
    size_px: int | None = Field(
        default=None, ge=16, le=1024, description="Input size in pixels; empty: the detector's default."
    )
    detector_options: dict[str, Any] = Field(
        default={},
        description="Further options of the detector, see detector_options(); as text: name=value, name=value.",
    )
    method_options: dict[str, Any] = Field(
        default={}, description="Options of the training method, see method_options(); as text: name=value, name=value."
    )
    seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="Seed of the first weights, the order and the random changes."
    )
    precision: Literal["32-true", "bf16-mixed"] = Field(
        default="32-true",
        description="Floating-point precision; bf16 pays off on GPUs, and on CPUs with AMX or AVX-512 BF16.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where to compute; auto: a GPU if there is one."
    )
    threads: int = Field(default=0, ge=0, le=256, description="CPU threads of torch; 0: unchanged.")
    workers: int = Field(default=0, ge=0, le=64, description="Processes that read samples; 0: read in this process.")
    cache_mb: int = Field(default=2000, ge=0, description="Memory for decoded crops, in MB.")

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
                    f"{value!r} is not an epoch=rate pair with epoch from 1 and rate in 0 to 1, such as 5=1e-4"
                )
        return values

    @field_validator("detector_options", "method_options", mode="before")
    @classmethod
    def _are_options(cls, options: Any) -> Any:
        if isinstance(options, list):  # settings.json contained texts before options became data
            options = parse_options(options)
        try:
            json.dumps(options)
        except (TypeError, ValueError):
            raise ValueError("options are saved as JSON; give text, numbers, true or false, lists and dicts") from None
        return options

    @classmethod
    def published(cls, method: str, **values: Any) -> "TrainSettings":
        """The settings a method was published with, updated by `values`.

        Raises:
            UnknownNameError: There is no such method.
            ParameterError: Its published settings are not known.
        """
        known = load_method(method).published
        if not known:
            raise ParameterError(
                f"asking for the published settings of the method {method!r}: none are known. Give your own: TrainSettings("
                f"method={method!r}, …)."
            )
        return cls(**{**known, **values})

    @classmethod
    def read(cls, path: Path, **changes: Any) -> "TrainSettings":
        """Read settings from a JSON file, such as a run's settings.json, updated by `changes`.

        A run whose name was derived from its settings keeps its folder name, so that it is continued.

        Raises:
            DataNotFoundError: There is no such file.
            ParameterError: It does not contain settings.
        """
        if not path.is_file():
            raise DataNotFoundError(f"reading settings: there is no file {path}. Give the settings.json of a run.")
        try:
            values = read_json(path)
        except ValueError as error:
            raise ParameterError(
                f"reading settings: {path} is not JSON ({error}). Expected the settings.json of a run."
            ) from None
        if not isinstance(values, dict):
            raise ParameterError(
                f"reading settings: {path} holds a {type(values).__name__}, expected an object of names and values."
            )
        folder = path.resolve().parent
        own_name = values.get("name") or (folder.name if Run(folder).provenance else "")
        return cls(**{**values, "name": own_name}).replace(**changes)

    @classmethod
    def stored(cls, values: Mapping[str, Any]) -> "TrainSettings":
        """Settings as stored by a run; fields unknown to this version are dropped."""
        known = {name: value for name, value in values.items() if cls.renamed.get(name, name) in cls.model_fields}
        return cls(**{"epochs": _EPOCHS_BEFORE, **known})

    @property
    def model_name(self) -> str:
        """Name of the run's folder: `name`, or detector, data set and a hash of everything that decides the result."""
        if self.name:
            return self.name
        # auto and the method it stands for give the same run
        same = self.replace(method="auto") if self.method == own_method(self.detector) else self
        # default values are left out of the hash, so that adding a setting later does not rename runs
        changed = {
            name: value
            for name, value in same.model_dump(mode="json").items()
            if name not in FREE_FIELDS and value != (_EPOCHS_BEFORE if name == "epochs" else _DEFAULTS[name])
        }
        end = "_leaky" if self.allow_leaks else ""
        detector = self.detector.replace(":", "-")  # timm:NAME; not every file system allows a colon
        return f"{detector}_{self.dataset}_{hash_values(self._in_former_names(changed))}{end}"

    def _in_former_names(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        """The form that run names have always been hashed in: former names of fields, options as text."""
        former = {new: old for old, new in self.renamed.items()}
        named = {former.get(name, name): value for name, value in changed.items()}
        options = {new: old for old, new in load_method(self.method_name).Settings.renamed.items()}
        for name in ("detector_options", "method_options"):
            if name in named:
                named[name] = write_options({options.get(option, option): v for option, v in named[name].items()})
        return named

    @property
    def method_name(self) -> str:
        """The training method, with `auto` resolved."""
        return own_method(self.detector) if self.method == "auto" else self.method

    @property
    def rates(self) -> dict[int, float]:
        """First epoch -> learning rate, from `rate_steps`."""
        pairs = (value.split("=") for value in self.rate_steps)
        return {int(epoch): float(rate) for epoch, rate in pairs}

    def build_options(self) -> dict[str, Any]:
        """Options for `build_detector`."""
        size = {} if self.size_px is None else {"size_px": self.size_px}
        return size | self.detector_options

    def augmentation(self) -> AugmentSettings:
        """Only the augmentation fields."""
        return AugmentSettings(**{name: getattr(self, name) for name in AugmentSettings.model_fields})

    def changed_fields(self, stored: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Fields that affect the result and differ from those of a stored run: name -> (stored, now)."""
        then = self.stored(stored)
        before, now = then.model_dump(mode="json"), self.model_dump(mode="json")
        if then.detector == self.detector:  # auto equals what it stands for
            before["method"], now["method"] = then.method_name, self.method_name
        today = load_method(self.method_name).Settings.renamed
        for values in (before, now):
            values["method_options"] = {today.get(name, name): v for name, v in values["method_options"].items()}
        free = FREE_FIELDS if self.schedule == "cosine" else (*FREE_FIELDS, "epochs")
        return {name: (before[name], now[name]) for name in now if name not in free and before[name] != now[name]}


#: Epochs assumed for stored settings without them, and omitted from run names.
_EPOCHS_BEFORE = 5
_DEFAULTS = TrainSettings().model_dump(mode="json")
