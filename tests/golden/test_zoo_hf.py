"""Classifiers of Hugging Face: a folder with seeded weights gives the logits of transformers 4.56's own classes.

Widths are those of released models; depths of SigLIP and Swin are smaller than any, so full depth was not compared.
"""

import json
from pathlib import Path

import pytest
import torch
from authors_files import Shapes, siglip, swin, transformers_vit_small
from safetensors.torch import save_file
from seeded_weights import seeded_file, two_pictures

from dfworkbench.models.inputs import prepare
from dfworkbench.zoo.importing import load_card

CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
FOLDERS = {
    "vit": (
        transformers_vit_small,
        {
            "architectures": ["ViTForImageClassification"], "hidden_size": 384, "num_attention_heads": 6,
            "intermediate_size": 1536, "image_size": 384, "layer_norm_eps": 1e-12, "id2label": {"0": "generated"},
        },
        {"size": {"height": 384, "width": 384}, "resample": 3, **CLIP},
        [[-0.381039], [-0.840814]],
    ),
    "siglip": (
        siglip,
        {
            "architectures": ["SiglipForImageClassification"], "vision_config": {"num_hidden_layers": 4},
            "id2label": {"0": "Fake", "1": "Real"},
        },
        {"size": {"height": 224, "width": 224}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
        [[-0.325529, -0.902675], [0.382999, -1.391816]],
    ),
    "swin": (
        swin,
        {
            "architectures": ["SwinForImageClassification"], "embed_dim": 96, "depths": [2, 2, 2, 2],
            "id2label": {"0": "human", "1": "artificial"},
        },
        {"size": 224, "resample": 3, **IMAGENET},
        [[0.280512, -0.583051], [-0.057426, -0.115429]],
    ),
}  # fmt: skip


def write_folder(folder: Path, shapes: Shapes, config: dict, preprocessor: dict) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    save_file(seeded_file(shapes), folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("kind", FOLDERS)
def test_logits_are_those_of_transformers(kind, tmp_path):
    shapes, config, preprocessor, expected = FOLDERS[kind]
    folder = write_folder(tmp_path / kind, shapes(), config, preprocessor)
    loaded = load_card("hf_image_classifier", folder, **({"fake": 1} if kind == "vit" else {}))
    spec = loaded.input_spec
    with torch.no_grad():
        found = loaded.detector(prepare(two_pictures(spec.size_px), spec).contiguous())
    logits = found.aux["logits"]
    torch.testing.assert_close(logits, torch.tensor(expected), atol=1e-4, rtol=0)
    fake = {"vit": logits[:, 0], "siglip": logits[:, 0] - logits[:, -1], "swin": logits[:, -1] - logits[:, 0]}[kind]
    torch.testing.assert_close(found.logit, fake)
