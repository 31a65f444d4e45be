"""Files that authors put beside their weights."""

import json

import pytest

from dfworkbench.core.errors import CheckpointError
from dfworkbench.zoo.beside import with_files_beside
from dfworkbench.zoo.card import get_card


@pytest.fixture
def weights(tmp_path):
    return tmp_path / "model.safetensors"


def test_nothing_beside_changes_nothing(weights):
    for name in ("gend_clip", "fsvfm_vit_l", "commfor_384_port"):
        assert with_files_beside(get_card(name), weights) == get_card(name)


def test_head_is_that_of_the_config(weights):
    config = weights.with_name("config.json")
    card = get_card("gend_pe")
    for word, before in (("LinearNorm", "l2"), ("linear", "none")):
        config.write_text(json.dumps({"backbone": "PE", "head": word}))
        assert with_files_beside(card, weights).network.before_head == before
    config.write_text(json.dumps({"head": "MLP"}))
    with pytest.raises(CheckpointError, match=r"'MLP'.*LinearNorm"):
        with_files_beside(card, weights)
    config.write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        with_files_beside(card, weights)
    assert with_files_beside(get_card("dfb_meso4"), weights) == get_card("dfb_meso4")


def test_mean_and_std_are_those_of_the_text_file(weights):
    text = weights.with_name("pretrain_ds_mean_std.txt")
    text.write_text('{"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}\n')
    found = with_files_beside(get_card("fsvfm_vit_l"), weights).input
    assert (found.mean, found.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert found.resize_px == 256
    text.write_text('{"mean": [0.1]}')
    with pytest.raises(CheckpointError, match=r"mean and std of three"):
        with_files_beside(get_card("fsvfm_vit_l"), weights)


def test_another_input_beside_is_a_caveat(weights):
    preprocessor = weights.with_name("preprocessor_config.json")
    same = {"size": {"shortest_edge": 440}, "crop_size": 384, "resample": 2}
    same |= {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    card = get_card("commfor_384_port")
    preprocessor.write_text(json.dumps(same))
    assert with_files_beside(card, weights) == card
    preprocessor.write_text(json.dumps(same | {"resample": 3}))
    found = with_files_beside(card, weights)
    assert found.input == card.input
    assert "'bicubic' instead of 'bilinear'" in found.caveats[-1]
    preprocessor.write_text(json.dumps(same | {"crop_size": 224}))
    assert "cannot be prepared" in with_files_beside(card, weights).caveats[-1]
