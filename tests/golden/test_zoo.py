"""Published detectors: files with seeded weights, read by their cards, give the numbers of their authors' own classes.

The numbers were computed with the authors' code (repositories as of 2020 to 2026, the classifiers of Hugging Face with
transformers 4.56), torch 2.14, float32, one thread; `seeded_weights` says how weights and pictures are made. G1: batch norm
normalises by the batch of two; G2: eval mode, and the same where there is no batch norm. Two logits are in the file's order.
Where a number is given for a wrong way to build or feed a network, it is tested that the card does not go that way.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from authors_files import (
    adjust_channel,
    batch_norm,
    clip_vision,
    dfb_meso4,
    dfb_mesoinception4,
    dinov3,
    efficientnet_b4,
    effort,
    linear,
    openai_clip_vision,
    prefixed,
    timm_shapes,
    xception,
)
from safetensors.torch import save_file
from seeded_weights import Shapes, by_batch, seeded, seeded_file, two_pictures
from torch import Tensor, nn

from dfworkbench.core.provenance import file_hash
from dfworkbench.core.workspace import Workspace
from dfworkbench.media.foreign import read_tensors
from dfworkbench.models.inputs import prepare
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.zoo.card import Card, CardNetwork, get_card
from dfworkbench.zoo.detector import PublishedDetector
from dfworkbench.zoo.importing import build_network, fill, import_card, load_card

Rows = list[list[float]]


def _backbone(shapes: Shapes) -> Shapes:
    return prefixed(shapes, "backbone.")


def _gend(shapes: Shapes) -> Shapes:
    return prefixed(shapes, "feature_extractor.") | linear("model.linear", 2, 1024)


def _icpr(attention: bool = False) -> Shapes:
    found = efficientnet_b4() | ({"attconv.weight": (1, 56, 1, 1), "attconv.bias": (1,)} if attention else {})
    return prefixed(found, "efficientnet.") | linear("classifier", 1, 1792)


def _icpr_st(attention: bool = False) -> Shapes:
    head = batch_norm("classifier.0", 1792) | linear("classifier.1", 1, 1792)
    return prefixed(_icpr(attention), "feat_ext.") | head


#: Card -> names and shapes of its file, without `module.`.
FILES: dict[str, Callable[[], Shapes]] = {
    "dfdc_winner": lambda: prefixed(timm_shapes("tf_efficientnet_b7"), "encoder.") | linear("fc", 1, 2560),
    "sbi_c23": lambda: prefixed(efficientnet_b4() | linear("_fc", 2, 1792), "net."),
    "dfb_xception": lambda: _backbone(xception("last_linear", 2) | adjust_channel()),
    "dfb_effnb4": lambda: _backbone(prefixed(efficientnet_b4(), "efficientnet.") | linear("last_layer", 2, 1792)),
    "dfb_meso4": lambda: _backbone(dfb_meso4()),
    "dfb_meso4inception": lambda: _backbone(dfb_mesoinception4()),
    "icpr_b4_dfdc": _icpr,
    "icpr_b4st_dfdc": _icpr_st,
    "icpr_autoattb4_dfdc": lambda: _icpr(attention=True),
    "icpr_autoattb4st_dfdc": lambda: _icpr_st(attention=True),
    "icpr_xception_dfdc": lambda: prefixed(xception("last_linear", 1), "xception."),
    "commfor_384": lambda: prefixed(timm_shapes("vit_small_patch16_384", num_classes=1), "vit."),
    "commfor_224": lambda: prefixed(timm_shapes("vit_small_patch16_224", num_classes=1), "vit."),
}
LARGE: dict[str, Callable[[], Shapes]] = {
    "gend_clip": lambda: _gend(clip_vision() | {"visual_projection.weight": (768, 1024)}),
    "gend_pe": lambda: _gend(_backbone(timm_shapes("vit_pe_core_large_patch14_336", num_classes=0))),
    "gend_dinov3": lambda: _gend(_backbone(dinov3())),
    "univfd": lambda: clip_vision() | {"visual_projection.weight": (768, 1024)},
    "effort_ffpp": effort,
    "fsvfm_vit_l": lambda: timm_shapes("vit_large_patch16_224", num_classes=2, global_pool="avg"),
}
#: Card -> number of values that are trained, of which the file may hold some that are not used.
VALUES = {
    "dfdc_winner": 66_350_521, "sbi_c23": 17_552_202, "dfb_xception": 21_861_162, "dfb_effnb4": 17_552_202, "dfb_meso4": 27_898,
    "dfb_meso4inception": 28_525, "icpr_b4_dfdc": 17_550_409, "icpr_b4st_dfdc": 17_555_786, "icpr_autoattb4_dfdc": 17_550_466,
    "icpr_autoattb4st_dfdc": 17_555_843, "icpr_xception_dfdc": 20_809_001, "commfor_384": 21_811_969, "commfor_224": 21_666_049,
    "gend_clip": 303_968_258, "gend_pe": 316_104_706, "gend_dinov3": 303_131_650, "univfd": 303_966_208,
    "fsvfm_vit_l": 303_303_682,
}  # fmt: skip
#: Card -> logits of the noise and the slope, G1 and G2.
GOLDEN: dict[str, tuple[Rows, Rows | None]] = {
    "dfdc_winner": ([[0.170765], [0.151152]], [[-0.062245], [-0.062245]]),
    "sbi_c23": ([[0.328570, 0.109953], [0.001145, 0.316666]], [[0.238845, 0.250818]] * 2),
    "dfb_xception": ([[-0.711797, 0.558327], [-0.459491, 0.873113]], [[-0.406795, 0.001885], [-0.417167, 0.087665]]),
    "dfb_effnb4": ([[0.088483, 0.510299], [-0.159676, 0.276851]], [[-0.097385, -0.017493]] * 2),
    "dfb_meso4": ([[0.753598, 0.076317], [-0.010363, 1.005534]], [[-0.167424, 0.360144], [-0.079015, 0.500837]]),
    "dfb_meso4inception": (
        [[-0.270314, 0.445038], [-0.121058, -0.401766]],
        [[-0.369704, 0.481050], [-0.261626, 0.161406]],
    ),
    "icpr_b4_dfdc": ([[0.268967], [0.211009]], [[-0.197328]] * 2),
    "icpr_b4st_dfdc": ([[0.076368], [-0.023997]], [[0.076057]] * 2),
    "icpr_autoattb4_dfdc": ([[0.269145], [0.204996]], [[-0.197333]] * 2),
    "icpr_autoattb4st_dfdc": ([[0.106670], [-0.043288]], [[0.076053]] * 2),
    "icpr_xception_dfdc": ([[0.186703], [0.349764]], [[0.188082], [0.279899]]),
    "commfor_384": ([[0.439536], [0.246149]], None),
    "commfor_224": ([[1.160723], [0.235337]], None),
    "gend_clip": ([[-0.040269, -0.098324], [-0.056624, -0.088487]], None),
    "gend_pe": ([[0.020995, -0.129594], [0.015003, -0.126266]], None),
    "gend_dinov3": ([[0.028298, -0.012726], [0.012176, -0.004352]], None),
    "univfd": ([[-0.521312], [-0.673787]], None),
    "effort_ffpp": ([[0.947062, -0.936515], [0.865706, -1.052027]], None),
    "fsvfm_vit_l": ([[2.349512, -0.282158], [2.124759, 0.377244]], None),
}


def _file(name: str) -> dict[str, Tensor]:
    """Tensors of the card's file, or files: that of `univfd`'s head has names of its own."""
    tensors = seeded_file((FILES | LARGE)[name]())
    if name == "univfd":
        head = {f"classifier.{part}": seeded(part, shape) for part, shape in (("weight", (1, 768)), ("bias", (1,)))}
        return {f"backbone.{key}": value for key, value in tensors.items()} | head
    return tensors


def _written(name: str, tensors: dict[str, Tensor], file: Path) -> Path:
    """The tensors as the authors' files hold them."""
    if name.startswith("commfor"):
        save_file(tensors, file)
    elif name.startswith("dfdc"):
        state = {f"module.{key}": value for key, value in tensors.items()}
        torch.save({"epoch": 36, "state_dict": state, "bce_best": np.float64(0.2)}, file)
    elif name.startswith("sbi"):
        torch.save(
            {"model": tensors, "optimizer": {"state": {0: {"momentum_buffer": torch.ones(9)}}}, "epoch": 99}, file
        )
    else:  # those of 2020 in torch's older format
        torch.save(tensors, file, _use_new_zipfile_serialization=not name.startswith("icpr"))
    return file


def _loaded(card: Card, tensors: dict[str, Tensor], **changes: Any) -> PublishedDetector:
    network: Any = card.network
    if changes:
        network = CardNetwork.model_validate(network.model_dump() | changes)
    detector = build_network(network, card.input.size_px)
    fill(detector, network, tensors, "a file", "another one")
    detector.input_spec = card.input
    return detector.eval()


def _pictures(card: Card) -> Tensor:
    # with channels last, batch norm in training mode adds up in another order and loses three digits
    return prepare(two_pictures(card.input.size_px), card.input).contiguous()


def _logits(detector: nn.Module, card: Card) -> Tensor:
    with torch.no_grad():
        return detector(_pictures(card)).aux["logits"]


def _off(detector: nn.Module, card: Card, picture: int) -> float:
    """How far a wrong network is off with one of the pictures; the other one is less far off."""
    with torch.no_grad():
        found = detector(_pictures(card)[picture : picture + 1]).aux["logits"]
    return float((found - torch.tensor(GOLDEN[card.name][0][picture])).abs().max())


def _require(found: Tensor, expected: Rows) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=0)


def _check(card: Card, detector: nn.Module) -> None:
    by_batch_of_two, evaluated = GOLDEN[card.name]
    with torch.no_grad():
        found = detector.eval()(_pictures(card))
    own = found.aux["logits"]
    _require(own, evaluated or by_batch_of_two)
    fake = card.network.fake
    torch.testing.assert_close(found.logit, own[:, 0] if own.shape[1] == 1 else own[:, fake] - own[:, 1 - fake])
    if evaluated:
        _require(_logits(by_batch(detector), card), by_batch_of_two)


def _count(tensors: dict[str, Tensor]) -> int:
    counted = [value for name, value in tensors.items() if "running" not in name and "num_batches" not in name]
    return sum(value.numel() for value in counted)


@pytest.mark.parametrize("name", FILES)
def test_logits_are_those_of_the_authors_class(name, tmp_path):
    tensors = _file(name)
    assert _count(tensors) == VALUES[name]
    loaded = load_card(name, _written(name, tensors, tmp_path / "file"))
    assert loaded.input_spec == get_card(name).input
    _check(get_card(name), loaded.detector)


@pytest.mark.parametrize(
    ("name", "options", "off"),
    [
        ("dfb_effnb4", {"padding_px": 256, "padded_stem": False}, 0.094),
        ("dfb_effnb4", {"padding_px": 380, "padded_stem": True}, 0.028),
        ("icpr_b4_dfdc", {"padding_px": 224}, 0.026),
    ],
)
def test_other_padding_gives_other_logits(name, options, off):
    card = get_card(name)
    wrong = _loaded(card, _file(name), trunk_options=options)
    difference = (_logits(by_batch(wrong), card) - torch.tensor(GOLDEN[name][0])).abs().max()
    assert float(difference) == pytest.approx(off, abs=1e-3)


@pytest.mark.slow
def test_gend_clip_as_a_run_and_without_its_norm(tmp_path):
    """The one large network that goes through a whole file and a whole run."""
    card, tensors = get_card("gend_clip"), _file("gend_clip")
    assert _count(tensors) == VALUES["gend_clip"]
    save_file(tensors, tmp_path / "model.safetensors")
    del tensors
    run = import_card(card, tmp_path / "model.safetensors", workspace=Workspace(tmp_path))
    (tmp_path / "model.safetensors").unlink()
    detector: Any = load_detector(run).detector
    shutil.rmtree(run)
    with torch.no_grad():  # the trunk, which takes seconds, looks at them once; what follows it is tested twice
        seen = detector.features(_pictures(card))
    detector.features = lambda images: seen
    _check(card, detector)
    detector.before_head = "none"
    _require(_logits(detector, card), [[-0.778368, 0.327448], [-1.310760, 0.647656]])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gend_pe", "gend_dinov3"])
def test_the_other_two_of_gend(name):
    tensors = _file(name)
    assert len(tensors) == {"gend_pe": 310, "gend_dinov3": 417}[name]
    assert _count(tensors) == VALUES[name]
    _check(get_card(name), _loaded(get_card(name), tensors))


@pytest.fixture(scope="module")
def univfd() -> PublishedDetector:
    """With the names of transformers; for two tests, since it takes seconds to make up its 304 million values."""
    tensors = _file("univfd")
    assert _count(tensors) == VALUES["univfd"] + 769
    return _loaded(get_card("univfd"), tensors)


@pytest.mark.slow
def test_univfd_and_with_plain_gelu(univfd, monkeypatch):
    card = get_card("univfd")
    _check(card, univfd)
    for block in univfd.trunk.blocks:
        monkeypatch.setattr(block.mlp, "act", nn.GELU())
    # with the published head, which is six times as long, the difference is 0.070
    assert _off(univfd, card, 0) == pytest.approx(0.0036, abs=5e-4)


@pytest.mark.slow
def test_univfd_with_the_published_head(univfd, monkeypatch):
    card = get_card("univfd")
    head = nn.Linear(768, 1)
    head.load_state_dict(_published_head(card))
    monkeypatch.setattr(univfd, "head", head)
    _require(_logits(univfd, card), [[10.204476], [14.174088]])


@pytest.mark.slow
def test_univfd_with_the_names_of_openai_and_the_published_head():
    card = get_card("univfd")
    head = {f"classifier.{key}": value for key, value in _published_head(card).items()}
    tensors = {f"backbone.{key}": value for key, value in seeded_file(openai_clip_vision()).items()}
    _require(_logits(_loaded(card, tensors | head), card), [[-1.450064], [1.010440]])


def _published_head(card: Card) -> dict[str, Tensor]:
    path = Path(os.environ.get("DFWORKBENCH_TRIALS", "")) / "weights" / "univfd" / card.file().name
    if not path.is_file():
        pytest.skip(f"DFWORKBENCH_TRIALS does not name a folder with weights/univfd/{path.name}: get {card.file().url}")
    assert file_hash(path) == card.file().sha256
    return dict(read_tensors(path, doing="testing", entries=(), where_to_get="", expected="weight and bias"))


@pytest.mark.slow
def test_effort_and_without_its_residuals():
    card, tensors = get_card("effort_ffpp"), _file("effort_ffpp")
    detector = _loaded(card, tensors)
    _check(card, detector)
    for name, value in tensors.items():
        if name.endswith("S_residual"):
            value.zero_()
    fill(detector, card.network, tensors, "a file", "another one")
    assert _off(detector, card, 0) == pytest.approx(0.30, abs=0.01)


@pytest.mark.slow
def test_fsvfm_and_with_the_class_token():
    card, tensors = get_card("fsvfm_vit_l"), _file("fsvfm_vit_l")
    assert _count(tensors) == VALUES["fsvfm_vit_l"]
    detector = _loaded(card, tensors)
    with torch.no_grad():  # the blocks, which take seconds, look at them once; pooling and head are tested twice
        seen = detector.trunk.forward_features(_pictures(card))
    detector.trunk.forward_features = lambda images, **_: seen
    _check(card, detector)
    detector.trunk.global_pool = "token"
    _require(_logits(detector, card), [[1.998378, -0.480402], [1.915569, -0.605475]])
