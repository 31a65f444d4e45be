"""Importing published files by their cards: containers, strict fitting, folding, refusals, and the run that comes out."""

import argparse
import dataclasses
import json
import warnings
from pathlib import Path

import pytest
import torch
from authors_files import dfb_meso4, linear, prefixed, timm_shapes
from safetensors.torch import save_file
from seeded_weights import seeded, seeded_file

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, ParameterError, UnknownNameError
from dfworkbench.core.workspace import Workspace
from dfworkbench.models import build_detector, list_detectors
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.run import Run
from dfworkbench.zoo.card import CardNetwork, get_card
from dfworkbench.zoo.detector import PublishedDetector, log_odds
from dfworkbench.zoo.importing import build_network, detector_options, fill, import_card, load_card
from dfworkbench.zoo.weights import folded

MESO4 = prefixed(dfb_meso4(), "backbone.")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def meso4_file(folder: Path, name: str = "meso4_best.pth", **changes) -> Path:
    """DeepfakeBench's Meso4; a change of None leaves the entry out."""
    tensors = {**seeded_file(MESO4), **{f"backbone.{key.replace('__', '.')}": value for key, value in changes.items()}}
    torch.save({key: value for key, value in tensors.items() if value is not None}, folder / name)
    return folder / name


def test_run_is_loaded_without_card_or_file(tmp_path, workspace):
    file = meso4_file(tmp_path)
    before = load_card("dfb_meso4", file)
    run = import_card("dfb_meso4", file, workspace=workspace)
    file.unlink()
    loaded = load_detector("dfb_meso4", workspace=workspace)
    assert loaded.name == "published"
    assert loaded.input_spec == get_card("dfb_meso4").input
    images = torch.rand(2, 3, 256, 256)
    with torch.no_grad():
        torch.testing.assert_close(loaded.detector(images).logit, before.detector(images).logit, rtol=0, atol=0)
        assert loaded.detector.features(images).shape == (2, 16)
    source = Run(run).provenance["source"]
    assert source["kind"] == "zoo"
    assert source["file"] == "meso4_best.pth"
    assert len(source["sha256"]) == 64
    card = get_card("dfb_meso4")
    assert source["card"]["name"] == card.name
    assert source["card"]["trained_on"] == card.trained_on
    assert source["card"]["licence_weights"] == card.licence_weights
    assert source["card"]["caveats"] == list(card.caveats)
    assert source["card"]["video"]["rule"] == "mean"
    json.dumps(source)


def test_run_is_named_after_the_card_and_the_file_where_there_are_several(tmp_path, workspace):
    file = meso4_file(tmp_path)
    assert import_card("dfb_meso4", file, workspace=workspace).name == "dfb_meso4"
    with pytest.raises(ParameterError, match="dfb_meso4"):
        import_card("dfb_meso4", file, workspace=workspace)
    assert import_card("dfb_meso4", file, "other", workspace=workspace).name == "other"
    several = dataclasses_of_two(get_card("dfb_meso4"))
    assert import_card(several, file, workspace=workspace).name == "dfb_meso4_meso4_best"


def dataclasses_of_two(card):
    return card.model_copy(update={"files": (card.file(), card.file().model_copy(update={"name": "second.pth"}))})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bn1__bias": None}, ("missing", "bn1.bias")),
        ({"fc1__weight": torch.zeros(16, 784)}, ("fc1.weight", "(16, 784)", "(16, 1024)")),
        ({"fc3__weight": torch.zeros(2)}, ("unexpected", "fc3.weight")),
        ({"conv1__bias": torch.zeros(8), "conv2__bias": torch.zeros(8)}, ("conv1.bias", "conv2.bias", "2 of 18")),
    ],
)
def test_file_that_differs_is_refused_with_the_names(changes, named, tmp_path, workspace):
    with pytest.raises(CheckpointError) as error:
        import_card("dfb_meso4", meso4_file(tmp_path, **changes), workspace=workspace)
    for word in (*named, "meso4_best.pth"):
        assert word in str(error.value)
    assert not list(workspace.checkpoints.glob("[!.]*"))


def test_five_differences_are_named_and_no_more(tmp_path, workspace):
    changes = {f"x{i}": torch.zeros(1) for i in range(9)}
    with pytest.raises(CheckpointError, match="9 of 18") as error:
        import_card("dfb_meso4", meso4_file(tmp_path, **changes), workspace=workspace)
    assert sum(f"backbone.x{i}" in str(error.value) for i in range(9)) == 5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused_by_name(value, tmp_path, workspace):
    file = meso4_file(tmp_path, bn2__weight=torch.full((16,), value))
    with pytest.raises(CheckpointError, match=r"bn2\.weight"):
        import_card("dfb_meso4", file, workspace=workspace)


def test_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(DataNotFoundError, match="zoo get dfb_meso4"):
        load_card("dfb_meso4", tmp_path / "meso4_best.pth")
    with pytest.raises(UnknownNameError, match="dfb_meso4"):
        load_card("dfb_meso", tmp_path / "meso4_best.pth")


def test_torchscript_is_refused_by_name(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "program.pt")
    with pytest.raises(CheckpointError, match="TorchScript"):
        load_card("dfb_meso4", tmp_path / "program.pt")


def test_univfd_says_what_to_take_instead_of_openais_program(tmp_path):
    torch.save({"weight": torch.zeros(1, 768), "bias": torch.zeros(1)}, tmp_path / "fc_weights.pth")
    with pytest.raises(ParameterError, match=r"clip-vit-large-patch14.*backbone="):
        load_card("univfd", tmp_path / "fc_weights.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "ViT-L-14.pt")
    with pytest.raises(CheckpointError, match=r"TorchScript.*model\.safetensors.*clip-vit-large-patch14"):
        load_card("univfd", tmp_path / "fc_weights.pth", backbone=tmp_path / "ViT-L-14.pt")
    with pytest.raises(UnknownNameError, match="backbone"):
        load_card("univfd", tmp_path / "fc_weights.pth", backbon=tmp_path / "ViT-L-14.pt")


def test_fsvfm_file_with_arguments_of_its_program(tmp_path):
    """The optimizer is not read; the class with index 0 is fake."""
    shapes = timm_shapes("vit_small_patch16_224", num_classes=2, global_pool="avg", num_heads=12)
    tensors = seeded_file(shapes)
    arguments = argparse.Namespace(lr=1e-3, model="vit_small_patch16", device="cuda", mean=[0.5] * 3)
    content = {"model": tensors, "optimizer": {"state": {}}, "epoch": 3, "scaler": {"scale": 1.0}, "args": arguments}
    torch.save(content, tmp_path / "checkpoint-min_val_loss.pth")
    loaded = load_card("fsvfm_vit_s", tmp_path / "checkpoint-min_val_loss.pth")
    with torch.no_grad():
        found = loaded.detector(torch.rand(1, 3, 224, 224))
    logits = found.aux["logits"]
    torch.testing.assert_close(found.logit, logits[:, 0] - logits[:, 1])
    torch.testing.assert_close(loaded.detector.state_dict()["head.weight"], tensors["head.weight"])
    assert loaded.detector.trunk.blocks[0].attn.num_heads == 12


def small_clip(**changes) -> CardNetwork:
    options = {"embed_dim": 64, "depth": 2, "num_heads": 2, "num_classes": 32}
    network = get_card("univfd").network.model_dump()
    return CardNetwork.model_validate(network | {"trunk_options": options} | changes)


def small_clip_files() -> dict[str, dict[str, torch.Tensor]]:
    """The same weights in the names of timm, transformers 4 and 5, and OpenAI."""
    with torch.device("meta"):
        trunk = PublishedDetector(**detector_options(small_clip(), 224)).trunk
    timm = seeded_file({name: tuple(value.shape) for name, value in trunk.state_dict().items()})
    timm["head.bias"].zero_()
    clip, openai = {}, {}
    for name, value in timm.items():
        if ".qkv." in name:
            block, part = name.split(".")[1], name.rsplit(".", 1)[1]
            q, k, v = value.chunk(3)
            for letter, third in zip("qkv", (q, k, v), strict=True):
                clip[f"vision_model.encoder.layers.{block}.self_attn.{letter}_proj.{part}"] = third.clone()
            openai[f"visual.transformer.resblocks.{block}.attn.in_proj_{part}"] = value
    spelled = {
        "attn.proj": ("self_attn.out_proj", "attn.out_proj"), "norm1": ("layer_norm1", "ln_1"), "norm2": ("layer_norm2", "ln_2"),
        "mlp.fc1": ("mlp.fc1", "mlp.c_fc"), "mlp.fc2": ("mlp.fc2", "mlp.c_proj"),
    }  # fmt: skip
    for block in range(2):
        for ours, (theirs, openais) in spelled.items():
            for part in ("weight", "bias"):
                value = timm[f"blocks.{block}.{ours}.{part}"]
                clip[f"vision_model.encoder.layers.{block}.{theirs}.{part}"] = value
                openai[f"visual.transformer.resblocks.{block}.{openais}.{part}"] = value
    for ours, theirs, openais in (("norm_pre", "pre_layrnorm", "ln_pre"), ("norm", "post_layernorm", "ln_post")):
        for part in ("weight", "bias"):
            clip[f"vision_model.{theirs}.{part}"] = openai[f"visual.{openais}.{part}"] = timm[f"{ours}.{part}"]
    clip["vision_model.embeddings.class_embedding"] = openai["visual.class_embedding"] = timm["cls_token"][0, 0]
    clip["vision_model.embeddings.position_embedding.weight"] = openai["visual.positional_embedding"] = timm[
        "pos_embed"
    ][0]
    clip["vision_model.embeddings.patch_embedding.weight"] = openai["visual.conv1.weight"] = timm[
        "patch_embed.proj.weight"
    ]
    clip["visual_projection.weight"] = timm["head.weight"]
    openai["visual.proj"] = timm["head.weight"].T.contiguous()
    unused = {"text_model.final_layer_norm.weight": torch.zeros(3), "logit_scale": torch.zeros(())}
    transformers_5 = {name.removeprefix("vision_model."): value for name, value in clip.items()}
    without_zero = {name: value for name, value in timm.items() if name != "head.bias"}
    text = {"token_embedding.weight": torch.zeros(2, 2), "logit_scale": torch.zeros(())}
    return {
        "timm": timm,
        "timm without its zero": without_zero,
        "transformers 4": clip | unused,
        "transformers 5": transformers_5 | unused,
        "openai": openai | text,
    }


def test_backbone_of_univfd_in_every_spelling():
    network = small_clip()
    files = small_clip_files()
    states = []
    for tensors in files.values():
        detector = build_network(network, 224)
        head = {f"classifier.{part}": seeded(part, shape) for part, shape in (("weight", (1, 32)), ("bias", (1,)))}
        fill(detector, network, {f"backbone.{k}": v for k, v in tensors.items()} | head, "a file", "another")
        states.append(detector.state_dict())
    for state in states[1:]:
        for name, value in state.items():
            torch.testing.assert_close(value, states[0][name], rtol=0, atol=0, msg=name)


def test_part_of_a_joined_entry_that_is_missing_is_named():
    network = small_clip()
    tensors = {f"backbone.{k}": v for k, v in small_clip_files()["transformers 4"].items()}
    tensors |= {"classifier.weight": torch.zeros(1, 32), "classifier.bias": torch.zeros(1)}
    del tensors["backbone.vision_model.encoder.layers.1.self_attn.k_proj.weight"]
    with pytest.raises(CheckpointError, match=r"blocks\.1\.attn\.qkv\.weight") as error:
        fill(build_network(network, 224), network, tensors, "a file", "another")
    assert "layers.1.self_attn.q_proj.weight" in str(error.value)


def test_effort_weights_are_folded_without_its_constants():
    layer = "encoder.layers.0.self_attn.q_proj"
    shapes = {"weight_main": (8, 8), "U_residual": (8, 2), "S_residual": (2,), "V_residual": (2, 8), "bias": (8,)}
    tensors = {f"{layer}.{part}": seeded(part, shape) for part, shape in shapes.items()}
    found = folded(tensors | {"norm.weight": torch.ones(3)})
    assert set(found) == {f"{layer}.weight", f"{layer}.bias", "norm.weight"}
    left, values, right = (tensors[f"{layer}.{part}_residual"] for part in "USV")
    expected = tensors[f"{layer}.weight_main"] + left @ torch.diag(values) @ right
    torch.testing.assert_close(found[f"{layer}.weight"], expected)
    del tensors[f"{layer}.V_residual"]
    assert f"{layer}.weight" not in folded(tensors)


@pytest.mark.parametrize("constants", [True, False])
def test_effort_file_with_and_without_its_constants(constants):
    card = get_card("effort_ffpp")
    options = {"embed_dim": 64, "depth": 1, "num_heads": 2}
    network = CardNetwork.model_validate(card.network.model_dump() | {"trunk_options": options})
    tensors = {}
    for name, value in small_clip_files()["transformers 4"].items():
        layer, _, last = name.removeprefix("vision_model.").rpartition(".")
        if "layers.1" in name or "visual" in name or "text" in name or "logit" in name:
            continue
        if "self_attn" in name and last == "weight":
            tensors |= {
                f"module.backbone.{layer}.weight_main": value,
                f"module.backbone.{layer}.S_residual": torch.ones(1),
            }
            tensors |= {
                f"module.backbone.{layer}.U_residual": torch.ones(64, 1),
                f"module.backbone.{layer}.V_residual": torch.ones(1, 64),
            }
            if constants:
                tensors |= {f"module.backbone.{layer}.{part}_r": torch.zeros(1) for part in "USV"}
        else:
            tensors[f"module.backbone.{layer}.{last}"] = value
    tensors |= {f"module.{name}": seeded(name, shape) for name, shape in linear("head", 2, 64).items()}
    detector = build_network(network, 224)
    fill(detector, network, tensors, "a file", "another")
    main = tensors["module.backbone.encoder.layers.0.self_attn.out_proj.weight_main"]
    torch.testing.assert_close(detector.state_dict()["trunk.blocks.0.attn.proj.weight"], main + 1)


def test_log_odds_are_those_of_the_softmax():
    logits = torch.tensor([[1.0, -2.0, 0.5]])
    for fake in (0, [0, 2], [1]):
        share = logits.softmax(1)[:, fake if isinstance(fake, list) else [fake]].sum(1)
        torch.testing.assert_close(log_odds(logits, fake), share.logit())
    assert float(log_odds(torch.tensor([[2.0]]), -1)) == -2.0


def test_published_is_built_from_its_options_only():
    assert "published" not in list_detectors()
    with pytest.raises(ParameterError, match="start_from"):
        build_detector("published")
    with pytest.raises(ParameterError, match="fake = 2"):
        build_detector("published", trunk="meso4", library="meso", fake=2, size_px=256)
    with pytest.raises(ParameterError, match="vit_nothing"):
        build_detector("published", trunk="vit_nothing")
    with pytest.raises(ParameterError, match="no such network"):  # the hub would be asked for it
        build_detector("published", trunk="hf-hub:owner/network")
    with pytest.raises(ParameterError, match="checkpoint_path"):
        build_detector("published", trunk="resnet18", trunk_options={"checkpoint_path": "weights.pth"})
    with pytest.raises(ParameterError, match="widht"):
        build_detector("published", trunk="b0", library="efficientnet", trunk_options={"widht": 1})


def test_safetensors_of_another_format_are_read_by_what_they_are(tmp_path):
    """Others may have written the tensors of a torch file as safetensors."""
    save_file(seeded_file(MESO4), tmp_path / "meso4.safetensors")
    load_card("dfb_meso4", tmp_path / "meso4.safetensors")
    (tmp_path / "page.safetensors").write_text("<html>not found</html>" * 20)
    with pytest.raises(CheckpointError, match="safetensors"):
        load_card("commfor_224", tmp_path / "page.safetensors")


def test_card_of_an_importer_keeps_that_importers_input(tmp_path, workspace):
    state = build_detector("mesonet4", crop_scale=224 / 214).state_dict()
    torch.save({"model": state}, tmp_path / "checkpoint-24.pth.tar")
    run = import_card("dfforensics", tmp_path / "checkpoint-24.pth.tar", workspace=workspace)
    assert run.name == "dfforensics_checkpoint-24"
    loaded = load_detector(run)
    assert loaded.name == "mesonet4"
    assert dataclasses.asdict(loaded.input_spec)["region"] == "sides"
    assert Run(run).provenance["source"]["card"]["name"] == "dfforensics"
