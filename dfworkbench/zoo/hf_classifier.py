"""Import any ViT, SigLIP or Swin image classifier from Hugging Face: network and input from the three files in its folder.

Formats: config.json and preprocessor_config.json of transformers 4 and 5, which omit default values. transformers is neither needed
nor run.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dfworkbench.core.errors import CheckpointError, DataNotFoundError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import require_name
from dfworkbench.media.foreign import is_safetensors, read_json
from dfworkbench.zoo.card import CardNetwork
from dfworkbench.zoo.labels import fake_index, labels_of

#: How faces are cut with crop="face": such a release does not say how its own were cut.
FACE_SCALE = 1.3

_CONFIG, _PREPROCESSOR = "config.json", "preprocessor_config.json"
_DOING = "importing hf_image_classifier"
_LARGEST = 10_000
_RESAMPLE = {2: "bilinear", 3: "bicubic"}


class Description(NamedTuple):
    """Contents of a classifier's folder."""

    network: CardNetwork
    input: InputSpec
    weights: Path


def describe(folder: Path, fake: int | str | None = None, crop: str = "whole") -> Description:
    """Read a classifier's folder.

    Args:
        folder: Folder with config.json, preprocessor_config.json and one weight file.
        fake: Index of the fake class; None derives it from the labels.
        crop: "whole": whole pictures, as the preprocessor says. "face": faces are cut and stretched to its size.

    Raises:
        DataNotFoundError: A file is missing.
        UnknownNameError: `crop` has another value.
        ParameterError: The labels do not say which class is fake, and neither does `fake`.
        CheckpointError: The files need code from the repository, or describe an unsupported network or input.
    """
    require_name("crop of a classifier", crop, ("face", "whole"))
    if not folder.exists():
        raise DataNotFoundError(
            f"{_DOING}: {folder} does not exist. Expected the folder of a classifier: check the path."
        )
    folder = folder if folder.is_dir() else folder.parent
    config, preprocessor = _json(folder / _CONFIG), _json(folder / _PREPROCESSOR)
    if "auto_map" in config:
        raise CheckpointError(
            f"{_DOING}: {folder / _CONFIG} names code of its repository (auto_map). Expected a plain classifier of transformers "
            "itself: code of a repository is never run. Choose another release."
        )
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else "none"
    if architecture not in _ARCHITECTURES:
        raise CheckpointError(
            f"{_DOING}: {folder / _CONFIG} describes a {architecture[:80]}. Expected {', '.join(_ARCHITECTURES)}: "
            "other networks were not compared with their originals yet. Choose another release."
        )
    labels = labels_of(config)
    index = fake_index(folder, labels, fake)
    with _making_sense(_CONFIG, f"sizes of a {architecture}"):
        size_px, parts = _ARCHITECTURES[architecture](config)
        network = CardNetwork(
            container="safetensors", head="classifier", logits=len(labels),
            fake=(-1 if index == 0 else 1) if len(labels) == 1 else index, **parts,
        )  # fmt: skip
    return Description(network, input_of(preprocessor, size_px, crop), _weights(folder))


def input_of(preprocessor: Mapping[str, Any], size_px: int, crop: str) -> InputSpec:
    """The input that a preprocessor_config.json describes.

    Raises:
        CheckpointError: It describes something an InputSpec cannot express, another size than the network's, or invalid values.
    """
    with _making_sense(_PREPROCESSOR, "sizes, and mean and std of three channels"):
        return _input_of(preprocessor, size_px, crop)


def _input_of(preprocessor: Mapping[str, Any], size_px: int, crop: str) -> InputSpec:
    def refuse(seen: str, expected: str) -> CheckpointError:
        return CheckpointError(
            f"{_DOING}: its {_PREPROCESSOR} says {seen}; expected {expected}. Such pictures cannot be prepared here; "
            "choose another release."
        )

    size, resample = preprocessor.get("size", size_px), preprocessor.get("resample", 2)
    size = {"height": size, "width": size} if isinstance(size, int) else dict(size)
    if not preprocessor.get("do_resize", True):
        raise refuse("do_resize = false", "pictures that are resized")
    if resample not in _RESAMPLE:
        raise refuse(f"resample = {resample!r}", "2 (bilinear) or 3 (bicubic)")
    edge = size.get("shortest_edge")
    final = preprocessor.get("crop_size", edge) if edge else size.get("height")
    final = final.get("height") if isinstance(final, Mapping) else final
    if final != size_px or (not edge and size.get("width") != final):
        raise refuse(f"size = {size} and {final} px at the end", f"squares of {size_px} px, as the network needs")
    scale = float(preprocessor.get("rescale_factor", 1 / 255)) if preprocessor.get("do_rescale", True) else 1.0
    normal = preprocessor.get("do_normalize", True)
    look: dict[str, Any] = {
        "size_px": size_px,
        "value_range": (0.0, 1.0) if abs(255 * scale - 1) < 1e-6 else (0.0, 255 * scale),
        "mean": _three(preprocessor.get("image_mean", (0.5,) * 3)) if normal else (0.0,) * 3,
        "std": _three(preprocessor.get("image_std", (0.5,) * 3)) if normal else (1.0,) * 3,
        "interpolation": _RESAMPLE[resample],
        "antialias": True,
    }
    if crop == "face":
        return InputSpec(crop_scale=FACE_SCALE, **look)
    fit = {"fit": "shortest_edge", "resize_px": edge} if edge else {"fit": "stretch"}
    return InputSpec(alignment="whole_resized", crop_scale=1.0, **fit, **look)  # pyright: ignore[reportArgumentType]


@contextlib.contextmanager
def _making_sense(file: str, expected: str) -> Iterator[None]:
    """Refuse a file whose values have other types or ranges than transformers writes."""
    try:
        yield
    except CheckpointError:
        raise
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{_DOING}: its {file} makes no sense ({error!r:.150}). Expected {expected}: get it again."
        ) from None


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def _vit(config: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    size_px, options = _transformer(config, eps=1e-12)
    options |= {"act_layer": _activation(config, "gelu"), "qkv_bias": bool(config.get("qkv_bias", True))}
    network = {"trunk": "vit_base_patch16_224", "trunk_options": options, "schemes": ("transformers_vit",)}
    return size_px, network | {"pooling": "token"}


def _siglip(config: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    vision = config.get("vision_config", {})
    size_px, options = _transformer(vision, eps=1e-6)
    # timm's own GELU for this trunk differs by 2e-4; the classifier uses the mean of all tokens, not attention pooling
    options |= {"act_layer": _activation(vision, "gelu_pytorch_tanh"), "global_pool": "avg", "fc_norm": False}
    network = {"trunk": "vit_base_patch16_siglip_224", "trunk_options": options, "schemes": ("transformers_clip",)}
    return size_px, network | {"ignore": (r"(vision_model\.)?head\..*", "logit_bias")}


def _swin(config: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    size_px = _size(config, "image_size", 224)
    options = {
        "img_size": size_px,
        "patch_size": _size(config, "patch_size", 4),
        "embed_dim": _size(config, "embed_dim", 96),
        "depths": _sizes(config, "depths", (2, 2, 6, 2)),
        "num_heads": _sizes(config, "num_heads", (3, 6, 12, 24)),
        "window_size": _size(config, "window_size", 7),
        "mlp_ratio": float(config.get("mlp_ratio", 4.0)),
        "norm_eps": float(config.get("layer_norm_eps", 1e-5)),
    }
    _activation(config, "gelu")
    return size_px, {
        "trunk": "swin_tiny_patch4_window7_224",
        "trunk_options": options,
        "schemes": ("transformers_swin",),
    }


_ARCHITECTURES: dict[str, Callable[[Mapping[str, Any]], tuple[int, dict[str, Any]]]] = {
    "ViTForImageClassification": _vit,
    "SiglipForImageClassification": _siglip,
    "SwinForImageClassification": _swin,
}


def _transformer(config: Mapping[str, Any], eps: float) -> tuple[int, dict[str, Any]]:
    """Picture size and timm options of a vision transformer; values missing from a config are those of ViT-B/16."""
    width, size_px = _size(config, "hidden_size", 768), _size(config, "image_size", 224)
    return size_px, {
        "img_size": size_px,
        "patch_size": _size(config, "patch_size", 16),
        "embed_dim": width,
        "depth": _size(config, "num_hidden_layers", 12),
        "num_heads": _size(config, "num_attention_heads", 12),
        "mlp_ratio": _size(config, "intermediate_size", 3072) / width,
        "norm_eps": float(config.get("layer_norm_eps", eps)),
    }


def _size(config: Mapping[str, Any], name: str, default: int) -> int:
    """A size, limited to what a network can be built with: a file may state any number."""
    value = config.get(name, default)
    if not isinstance(value, int) or not 0 < value <= _LARGEST:
        raise ValueError(f"{name} = {value!r:.40}")
    return value


def _sizes(config: Mapping[str, Any], name: str, default: tuple[int, ...]) -> list[int]:
    values = config.get(name, default)
    if not isinstance(values, list | tuple) or len(values) != 4:
        raise ValueError(f"{name} = {values!r:.40}")
    return [_size({name: value}, name, 0) for value in values]


def _activation(config: Mapping[str, Any], default: str) -> str:
    name = str(config.get("hidden_act", default))
    known = {"gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "quick_gelu": "quick_gelu"}
    if name not in known or (default == "gelu" and name != "gelu"):
        raise ValueError(f"hidden_act = {name!r}")
    return known[name]


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataNotFoundError(
            f"{_DOING}: {path} does not exist. Expected the folder of a classifier with {_CONFIG}, {_PREPROCESSOR} and its "
            "weights: get all files of the repository."
        )
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{_DOING}: {path} cannot be read ({error}). Expected JSON: get it again.") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{_DOING}: {path} holds a {type(found).__name__}, expected a table. Get it again.")
    return found


def _weights(folder: Path) -> Path:
    """The only weight file: safetensors if there is one, else a torch file, which the safe reader may refuse."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    found = [path for path in files if is_safetensors(path)] or [
        path for path in files if path.suffix in (".bin", ".pth")
    ]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataNotFoundError(
            f"{_DOING}: {folder} has {len(found)} files of weights ({names}); expected one, as a safetensors file. Weights in "
            "several shards are not read; leave only one file there."
        )
    return found[0]
