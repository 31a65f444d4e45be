"""Cards: complete, consistent, and honest about what is not known."""

import re

import pytest
from pydantic import ValidationError

from dfworkbench.core.errors import UnknownNameError
from dfworkbench.runs.released import IMPORTERS
from dfworkbench.zoo.card import Card, CardFile, get_card, list_cards
from dfworkbench.zoo.names import SCHEMES

CARDS = list_cards()
FAMILIES = {
    "gend_clip", "gend_pe", "gend_dinov3", "dfdc_winner", "commfor_384", "commfor_384_port", "commfor_224", "sbi_c23", "sbi_raw",
    "dfb_xception", "dfb_effnb4", "dfb_meso4", "dfb_meso4inception", "univfd", "effort_ffpp", "fsvfm_vit_l", "fsvfm_vit_b",
    "fsvfm_vit_s", "hf_image_classifier", "mesonet", "dfforensics",
}  # fmt: skip
ICPR = {
    f"icpr_{net}_{data}" for net in ("b4", "b4st", "autoattb4", "autoattb4st", "xception") for data in ("dfdc", "ffpp")
}


def test_all_releases_are_there_in_the_order_of_use():
    names = [card.name for card in CARDS]
    assert set(names) == FAMILIES | ICPR
    assert names[:3] == ["gend_clip", "dfdc_winner", "commfor_384"]
    assert len(get_card("dfdc_winner").files) == 7
    assert len(get_card("mesonet").files) == 4


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_card_says_what_it_must(card):
    assert card.title
    assert card.licence_weights
    assert card.trained_on
    assert card.caveats
    assert card.detector
    free = re.match(
        r"MIT|Apache|not stated for the weights, which are assets of the MIT|each its own", card.licence_weights
    )
    assert bool(card.accept) != bool(free) or card.name == "gend_dinov3"
    assert (card.network is None) == (card.importer != "")
    assert card.importer in {"", "hf_image_classifier", *IMPORTERS}
    for figure in card.figures:
        assert figure.source
    faces = card.input.of_faces and not card.importer
    assert faces == (card.video.people != "none") or card.importer
    for sentence in (*card.caveats, card.accept):
        assert not sentence or sentence.endswith((".", "files"))


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_files_have_an_address_and_say_who_states_their_hash(card):
    assert card.files or card.importer == "hf_image_classifier"
    assert len({file.name for file in card.files}) == len(card.files)
    for file in card.files:
        assert file.url.startswith("https://")
        assert file.says or not (file.sha256 or file.bytes or file.about_bytes)
        assert file.by_hand == ("drive.google" in file.url)
        assert file.by_hand or " " not in file.url
        assert bool(file.sha256) or not file.says or "for the size" in file.says or "for the revision" in file.says


@pytest.mark.parametrize("card", [card for card in CARDS if card.network], ids=lambda card: card.name)
def test_network_is_consistent(card):
    network = card.network
    assert set(network.schemes) <= set(SCHEMES)
    for pattern, replacement in network.renames:
        assert replacement != pattern
        re.compile(pattern)
    assert (network.before_head == "batch_norm") == bool(network.batch_norm)
    assert network.fake in ((1, -1) if network.logits == 1 else range(network.logits))


def test_index_of_the_fake_class_is_that_of_the_authors():
    two = {card.name: card.network.fake for card in CARDS if card.network and card.network.logits == 2}
    assert {name for name, fake in two.items() if fake == 0} == {"fsvfm_vit_l", "fsvfm_vit_b", "fsvfm_vit_s"}
    one = {card.network.fake for card in CARDS if card.network and card.network.logits == 1}
    assert one == {1}


def test_icpr_hashes_are_those_in_the_names_of_the_files():
    for name in ICPR:
        file = get_card(name).file()
        assert file.sha256 in file.name


def test_rules_over_frames_are_those_of_the_authors():
    assert get_card("dfdc_winner").video.rule == "confident"
    assert get_card("icpr_b4_ffpp").video.rule == "mean_logit"
    assert get_card("sbi_raw").video.people == "frame_maximum"
    assert get_card("effort_ffpp").video.frames == 8
    assert get_card("gend_pe").video.no_face == 0.0


def test_names_are_looked_up_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="gend_clip"):
        get_card("gend_klip")
    card = get_card("dfdc_winner")
    assert card.file() == card.files[0]
    assert card.file(card.files[3].name) == card.files[3]
    with pytest.raises(UnknownNameError, match="dfdc_winner"):
        card.file("final_000")


def test_a_card_is_plain_data_that_does_not_change():
    card = get_card("commfor_224")
    with pytest.raises(ValidationError):
        card.title = "another"
    with pytest.raises(ValidationError, match="surprise"):
        Card.model_validate({**card.model_dump(), "rank": 1, "surprise": 1})
    with pytest.raises(ValidationError):
        CardFile(name="a", url="https://example.org/a", sha256="12")
    assert card.model_dump(mode="json")["input"]["resize_px"] == 256
