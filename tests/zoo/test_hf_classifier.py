"""Classifiers of Hugging Face: what their three files say, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from authors_files import linear
from safetensors.torch import save_file
from seeded_weights import Shapes, seeded_file

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, ParameterError, UnknownNameError
from dfworkbench.core.workspace import Workspace
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.zoo.hf_classifier import describe, input_of
from dfworkbench.zoo.importing import import_card, load_card
from dfworkbench.zoo.labels import fake_of

CONFIG = {
    "architectures": ["ViTForImageClassification"], "hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 64, "image_size": 32, "patch_size": 16, "id2label": {"0": "Real", "1": "Fake"},
}  # fmt: skip
PREPROCESSOR = {"size": {"height": 32, "width": 32}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def vit(layer: str = "vit.encoder.layer.0", labels: int = 2) -> Shapes:
    """ViTForImageClassification of CONFIG, in the names of transformers 4."""
    norms = ("vit.layernorm", f"{layer}.layernorm_before", f"{layer}.layernorm_after")
    shapes: Shapes = {
        "vit.embeddings.cls_token": (1, 1, 32), "vit.embeddings.position_embeddings": (1, 5, 32),
        "vit.embeddings.patch_embeddings.projection.weight": (32, 3, 16, 16),
        "vit.embeddings.patch_embeddings.projection.bias": (32,),
        **{f"{norm}.{part}": (32,) for norm in norms for part in ("weight", "bias")},
    }  # fmt: skip
    for part in (
        "attention.attention.query",
        "attention.attention.key",
        "attention.attention.value",
        "attention.output.dense",
    ):
        shapes |= linear(f"{layer}.{part}", 32, 32)
    shapes |= linear(f"{layer}.intermediate.dense", 64, 32) | linear(f"{layer}.output.dense", 32, 64)
    return shapes | linear("classifier", labels, 32)


def folder(where: Path, name: str = "owner--net", **changes) -> Path:
    made = where / name
    made.mkdir(parents=True)
    (made / "config.json").write_text(json.dumps(CONFIG | changes))
    (made / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    save_file(seeded_file(vit(labels=max(1, len((CONFIG | changes)["id2label"])))), made / "model.safetensors")
    return made


def test_run_of_a_classifier(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    made = folder(tmp_path)
    run = import_card("hf_image_classifier", made, workspace=workspace)
    assert run.name == "hf_image_classifier_owner--net"
    loaded = load_detector(run)
    assert loaded.input_spec.alignment == "whole_resized"
    assert loaded.detector.trunk.norm.eps == 1e-12
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        found = loaded.detector(images)
        torch.testing.assert_close(found.logit, found.aux["logits"][:, 1] - found.aux["logits"][:, 0])
        again = load_card("hf_image_classifier", made, fake=0, crop="face")
        torch.testing.assert_close(again.detector(images).logit, -found.logit)
    assert again.input_spec.alignment == "box"


def test_names_of_transformers_5_give_the_same_network(tmp_path):
    first, second = folder(tmp_path, "four"), folder(tmp_path, "five")
    letters = {"query": "q", "key": "k", "value": "v"}
    renamed = {
        "vit.encoder.layer.": "vit.layers.",
        "intermediate.dense": "mlp.fc1",
        "attention.output.dense": "attention.o_proj",
    }
    renamed |= {f"attention.attention.{word}": f"attention.{letter}_proj" for word, letter in letters.items()}
    renamed["output.dense"] = "mlp.fc2"
    tensors = {}
    for name, value in seeded_file(vit()).items():
        for theirs, new in renamed.items():
            name = name.replace(theirs, new)
        tensors[name] = value
    save_file(tensors, second / "model.safetensors")
    own, other = (load_card("hf_image_classifier", made).detector.state_dict() for made in (first, second))
    for name, value in own.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("labels", "fake"),
    [
        (("Fake", "Real"), 0),
        (("Realism", "Deepfake"), 1),
        (("AiArtData", "HumanArt"), 0),
        (("artificial", "hum"), 0),
        (("real", "ai-generated"), 1),
        (("LABEL_0", "LABEL_1"), None),
        (("fake", "fake real"), None),
        (("real", "fake", "generated"), None),
        (("surreal", "fakery"), None),
    ],
)
def test_fake_class_by_the_words_of_the_labels(labels, fake):
    assert fake_of(dict(enumerate(labels))) == fake


def test_labels_without_words_need_the_index(tmp_path):
    made = folder(tmp_path, id2label={"0": "LABEL_0", "1": "LABEL_1"})
    with pytest.raises(ParameterError, match=r"LABEL_0.*fake=0"):
        describe(made)
    assert describe(made, fake="1").network.fake == 1
    with pytest.raises(ParameterError, match="fake = 2"):
        describe(made, fake=2)
    with pytest.raises(UnknownNameError, match="whole"):
        describe(made, fake=1, crop="hole")
    with pytest.raises(UnknownNameError, match="fake"):
        import_card("hf_image_classifier", made, workspace=Workspace(tmp_path), fak=1)


def test_labels_that_are_known_to_be_swapped_are_not_trusted(tmp_path):
    made = folder(tmp_path, "models--prithivMLmods--Deep-Fake-Detector-v2-Model/snapshots/abc")
    with pytest.raises(ParameterError, match=r"swapped.*fake=0"):
        describe(made)
    assert describe(made, fake=0).network.fake == 0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"auto_map": {"AutoModel": "code.Net"}}, "auto_map"),
        ({"architectures": ["Swinv2ForImageClassification"]}, "Swinv2"),
        ({"hidden_act": "relu"}, "relu"),
        ({"hidden_size": "wide"}, "wide"),
        ({"id2label": {"0": "real", "2": "fake"}}, "0, 2"),
        ({"id2label": {"zero": "real", "one": "fake"}}, "zero"),
        ({"id2label": {}, "num_labels": 10**12}, "1000"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
    ],
)
def test_configs_that_are_not_known_are_refused(changes, word, tmp_path):
    with pytest.raises(CheckpointError, match=word):
        describe(folder(tmp_path, **changes))


def test_one_file_of_weights_is_read(tmp_path):
    made = folder(tmp_path)
    save_file(seeded_file(vit()), made / "second.safetensors")
    with pytest.raises(DataNotFoundError, match=r"2 files.*second"):
        describe(made)
    for path in made.glob("*.safetensors"):
        path.unlink()
    torch.save(seeded_file(vit()), made / "pytorch_model.bin")
    load_card("hf_image_classifier", made)
    (made / "preprocessor_config.json").unlink()
    with pytest.raises(DataNotFoundError, match="preprocessor_config"):
        describe(made)


def test_input_of_a_preprocessor():
    def spec(crop: str = "whole", **values):
        return input_of(PREPROCESSOR | values, 32, crop)

    stretched = spec()
    assert (stretched.fit, stretched.interpolation, stretched.antialias) == ("stretch", "bilinear", True)
    assert stretched.mean == (0.5, 0.5, 0.5)
    kept = spec(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}, resample=3)
    assert (kept.fit, kept.resize_px, kept.interpolation) == ("shortest_edge", 40, "bicubic")
    assert spec(size=32).fit == "stretch"
    plain = spec(do_rescale=False, do_normalize=False)
    assert (plain.value_range, plain.mean, plain.std) == ((0.0, 255.0), (0.0,) * 3, (1.0,) * 3)
    assert spec("face").alignment == "box"
    for values, word in (
        ({"size": {"height": 48, "width": 48}}, "48"),
        ({"size": {"height": 32, "width": 48}}, "32 px"),
        ({"resample": 0}, "resample = 0"),
        ({"do_resize": False}, "do_resize"),
    ):
        with pytest.raises(CheckpointError, match=word):
            spec(**values)


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("config.json", {"architectures": 1}),
        ("config.json", {"architectures": ["SiglipForImageClassification"], "vision_config": []}),
        ("preprocessor_config.json", {"size": "large"}),
        ("preprocessor_config.json", {"resample": []}),
        ("preprocessor_config.json", {"image_mean": [0.5]}),
        ("preprocessor_config.json", {"image_std": "x"}),
        ("preprocessor_config.json", {"rescale_factor": None}),
    ],
)
def test_values_of_other_types_are_refused(tmp_path, file, values):
    made = folder(tmp_path)
    path = made / file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    with pytest.raises(CheckpointError, match=file):
        describe(made)
