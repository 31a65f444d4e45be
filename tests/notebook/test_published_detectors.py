"""Published detectors in notebook 03: in the list of checkpoints, got and imported by the chooser, and as parameters."""

import html
import io
import time

import pytest
import torch
from authors_files import dfb_meso4, prefixed
from seeded_weights import seeded_file
from weight_server import bare_home, serving

from dfworkbench.core.errors import DataNotFoundError, ParameterError, UnknownNameError
from dfworkbench.notebook.chooser import PublishedDetectors
from dfworkbench.notebook.inference import InferenceSettings
from dfworkbench.notebook.panel import SettingsPanel
from dfworkbench.notebook.published import checkpoint_labels, checkpoints, run_of
from dfworkbench.runs.run import Run
from dfworkbench.zoo.cache import target_path
from dfworkbench.zoo.card import get_card, list_cards
from dfworkbench.zoo.licences import is_accepted, require_accepted

CARD = get_card("dfb_meso4")
NAME = f"zoo:{CARD.name}"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    return bare_home(tmp_path, monkeypatch)


@pytest.fixture
def mirror(monkeypatch):
    """A server of this machine that has the file of the card; it counts who asks."""
    with serving() as state:
        monkeypatch.setenv("DFWORKBENCH_MIRROR", state.url)
        state.files["/" + CARD.files[0].url.partition("://")[2]] = weights()
        yield state


def weights() -> bytes:
    buffer = io.BytesIO()
    torch.save(seeded_file(prefixed(dfb_meso4(), "backbone.")), buffer)
    return buffer.getvalue()


def put_in_cache() -> None:
    target = target_path(CARD, CARD.files[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(weights())


def chooser_of(checkpoint: str = "") -> tuple[SettingsPanel, PublishedDetectors]:
    panel = SettingsPanel(InferenceSettings(checkpoint=checkpoint), "03_inference")
    return panel, PublishedDetectors(panel)


def test_checkpoints_are_runs_and_then_published_detectors():
    require_accepted(CARD, accept=True)
    assert dict(zip(checkpoints(), checkpoint_labels(checkpoints()), strict=True))[NAME] == f"{NAME} (not fetched)"
    put_in_cache()
    assert f"{NAME} (file is here)" in checkpoint_labels(checkpoints())
    run = run_of(NAME)
    assert checkpoints()[0] == run
    assert {run, f"{NAME} (imported)"} <= set(checkpoint_labels(checkpoints()))
    assert InferenceSettings(checkpoint=NAME, compare=[run, f"{NAME}:{CARD.files[0].name}"]).runs() == [run]


def test_as_a_parameter_nothing_is_fetched(mirror):
    require_accepted(CARD, accept=True)
    with pytest.raises(DataNotFoundError) as told:
        InferenceSettings(checkpoint=NAME).runs()
    for part in (CARD.files[0].url, str(target_path(CARD, CARD.files[0])), f"dfworkbench zoo get {CARD.name}"):
        assert part in str(told.value)
    with pytest.raises(UnknownNameError, match="dfb_meso4"):
        InferenceSettings(checkpoint="zoo:dfb_meso").runs()
    assert not mirror.asked


def test_terms_are_asked_also_for_a_file_that_is_here():
    put_in_cache()
    with pytest.raises(ParameterError, match="non-commercial"):
        run_of(NAME)


def test_get_accepts_fetches_imports_and_sets_the_checkpoint(mirror):
    panel, chooser = chooser_of(NAME)
    assert chooser.chosen == CARD
    assert chooser.get.disabled
    chooser.accept.value = True
    assert not chooser.get.disabled
    assert not mirror.asked
    chooser.get.click()
    chooser.wait(60)
    assert len(mirror.asked) == 1
    assert "dfb_meso4" in chooser.message
    assert panel["checkpoint"].value == panel.settings.runs()[0] == "dfb_meso4"
    assert is_accepted(CARD)
    assert Run.open("dfb_meso4").provenance["source"]["card"]["name"] == CARD.name
    assert chooser.accept.layout.display == "none"

    panel["checkpoint"].value = "zoo:gend_clip"  # and back, with a click
    assert chooser.chosen == get_card("gend_clip")
    chooser.card.value = CARD.name
    chooser.get.click()
    chooser.wait(60)
    assert panel["checkpoint"].value == "dfb_meso4"
    assert len(mirror.asked) == 1


def test_a_download_can_be_stopped_and_continued(mirror):
    mirror.pause_s = 0.1
    mirror.files["/" + CARD.files[0].url.partition("://")[2]] = weights() + bytes(600_000)
    _, chooser = chooser_of(NAME)
    chooser.accept.value = True
    chooser.get.click()
    end = time.monotonic() + 20
    while "left" not in chooser.progress.box.children[1].value and time.monotonic() < end:
        time.sleep(0.05)
    assert chooser.progress.box.layout.display == ""
    assert chooser.stop.layout.display == ""
    chooser.stop.click()
    chooser.wait(20)
    assert "continues there" in chooser.message
    assert not chooser.get.disabled
    mirror.pause_s = 0
    chooser.get.click()
    chooser.wait(60)
    assert mirror.ranges_asked[-1].startswith("bytes=")


def test_without_a_network_it_says_what_to_bring_and_imports_it(monkeypatch, tmp_path):
    monkeypatch.setenv("DFWORKBENCH_OFFLINE", "1")
    panel, chooser = chooser_of(NAME)
    file = CARD.files[0]
    shown = chooser.box.children[-1].children[0].children[0].value
    for part in (file.url, str(target_path(CARD, file)), "SHA-256"):
        assert part in shown
    assert chooser.box.children[-1].selected_index == 0
    assert "DFWORKBENCH_OFFLINE=1" in chooser.message
    chooser.accept.value = True
    chooser.get.click()
    chooser.wait(20)
    assert "forbids connections" in chooser.message

    (tmp_path / "brought.pth").write_bytes(weights())
    chooser.take.click()
    chooser.wait(20)
    assert "no path was given" in chooser.message
    chooser.path.value = str(tmp_path / "brought.pth")
    chooser.take.click()
    chooser.wait(60)
    assert panel.settings.runs() == ["dfb_meso4"]


def test_a_damaged_file_leaves_a_message_and_no_run(tmp_path):
    (tmp_path / "other.pth").write_bytes(b"no weights")
    panel, chooser = chooser_of(NAME)
    chooser.accept.value = True
    chooser.path.value = str(tmp_path / "other.pth")
    chooser.take.click()
    chooser.wait(20)
    assert "other.pth" in chooser.message
    assert panel["checkpoint"].value == NAME
    assert not list(Run.names())


def test_every_card_can_be_chosen():
    _, chooser = chooser_of()
    for card in list_cards():
        chooser.card.value = card.name
        assert card.title in html.unescape(chooser._about.value)
        for caveat in card.caveats:
            assert caveat in html.unescape(chooser._about.value)
        by_hand = any(file.by_hand for file in card.files)
        assert ("from its page" in chooser.message) == by_hand, "only people can fetch it"
        assert (chooser.accept.layout.display == "") == bool(card.accept)


def test_a_page_without_widgets_shows_the_card_or_the_list():
    _, listed = chooser_of()
    page = listed._repr_mimebundle_()
    assert "gend_clip" in page["text/html"]
    assert CARD.name in page["text/plain"]
    _, chosen = chooser_of(NAME)
    for part in (CARD.title, CARD.licence_weights, CARD.trained_on, "0.609", "aligned face"):
        assert part in chosen._repr_html_()
        assert part in chosen._about.value
