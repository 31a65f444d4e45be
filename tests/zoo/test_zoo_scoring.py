"""Which run a card stands for, and what a check of a detector says."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import DataNotFoundError, ParameterError, UnknownNameError
from dfworkbench.core.workspace import HOME_VARIABLE, Workspace
from dfworkbench.datasets.tables import SCORES
from dfworkbench.zoo import check, score
from dfworkbench.zoo.card import Card, CardFile, get_card
from dfworkbench.zoo.card_runs import find_run, require_no_bare_card, whole_files, with_parts
from dfworkbench.zoo.licences import is_accepted
from dfworkbench.zoo.scoring import find_weights


@pytest.fixture
def home(tmp_path, monkeypatch) -> Workspace:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.delenv("DFWORKBENCH_WEIGHTS", raising=False)
    (tmp_path / "checkpoints").mkdir()
    return Workspace(tmp_path)


def make_run(home: Workspace, name: str, card: str = "", file: str = "") -> None:
    folder = home.checkpoints / name
    folder.mkdir()
    source = {"kind": "zoo", "file": file, "card": {"name": card}} if card else None
    (folder / "provenance.json").write_text(json.dumps({"source": source}))


def card_of(*files: tuple[str, str]) -> Card:
    return Card(
        name="toy", title="Toy", paper="p", code="c", licence_code="MIT", licence_weights="MIT", trained_on="n", rank=1,
        files=tuple(CardFile(name=name, url=f"https://example.org/{name}", part=part) for name, part in files),
    )  # fmt: skip


def test_the_run_of_a_card_is_found_by_its_source(home):
    one, two = card_of(("a.bin", "")), card_of(("a.bin", ""), ("b.bin", ""))
    assert find_run(one) is None
    make_run(home, "mine")
    make_run(home, "called_otherwise", "toy", "renamed.bin")
    assert find_run(one) == home.checkpoints / "called_otherwise"
    assert find_run(two) is None
    make_run(home, "toy_b", "toy", "b.bin")
    assert find_run(two, "b.bin") == home.checkpoints / "toy_b"
    assert find_run(two) is None
    (home.checkpoints / "mine" / "provenance.json").write_text("[")
    assert find_run(two, "b.bin") == home.checkpoints / "toy_b"


def test_terms_are_accepted_of_the_listed_cards_only(home, tmp_path):
    with pytest.raises(ParameterError, match="terms"):
        score(["sbi_c23"], tmp_path, accept=["icpr_b4_dfdc"])
    assert not is_accepted(get_card("sbi_c23"))
    with pytest.raises(DataNotFoundError, match="not on this machine"):
        score(["sbi_c23"], tmp_path, accept=["sbi_c23"])
    assert is_accepted(get_card("sbi_c23"))


def test_further_parts_come_with_a_file():
    card = card_of(("head.bin", "head"), ("backbone_1.bin", "backbone"), ("backbone_2.bin", "backbone"), ("x", "third"))
    assert [file.name for file in with_parts(card)] == ["head.bin", "backbone_1.bin", "x"]
    assert [file.name for file in whole_files(card)] == ["head.bin"]
    assert [file.name for file in with_parts(card_of(("a", ""), ("b", "")), "b")] == ["b"]


def test_names_of_runs_are_taken_beside_cards(home):
    make_run(home, "mine")
    assert find_weights("mine") == home.checkpoints / "mine"
    with pytest.raises(UnknownNameError, match="No run has this name either"):
        find_weights("nobodys")
    with pytest.raises(UnknownNameError):
        find_weights("../checkpoints/mine")


def test_a_card_where_a_run_is_expected(home, capsys):
    with pytest.raises(DataNotFoundError, match="dfworkbench zoo get gend_clip"):
        require_no_bare_card("gend_clip")
    require_no_bare_card("nobodys")
    make_run(home, "older", "gend_clip", "model.safetensors")
    with pytest.raises(DataNotFoundError, match="imported as the run 'older'"):
        require_no_bare_card("gend_clip")
    assert cli.main(["score", "a.mp4", "--checkpoint", get_card("gend_clip").name]) == 2
    assert "'older'" in capsys.readouterr().err


def toy_scores(probabilities: list[float]) -> pd.DataFrame:
    rows = [
        {"row_id": f"v{n}", "video_id": f"v{n}", "logit": p, "fake_probability": p, "status": "ok"}
        for n, p in enumerate(probabilities)
    ]
    return SCORES.complete(pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("real", "fake", "auc", "swapped"),
    [([0.1, 0.2, 0.6], [0.5, 0.9, 0.8], 8 / 9, False), ([0.8, 0.9, 0.5], [0.6, 0.2, 0.1], 1 / 9, True)],
)
def test_check_warns_where_labels_seem_swapped(home, tmp_path, monkeypatch, real, fake, auc, swapped):
    make_run(home, "mine")
    for name in ("real", "fake"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
    tables = {"real": toy_scores(real), "fake": toy_scores(fake)}
    monkeypatch.setattr("dfworkbench.zoo.scoring.load_detector", lambda run, device: SimpleNamespace(run=run.name))
    monkeypatch.setattr(
        "dfworkbench.zoo.scoring.score_files", lambda folder, *given, **more: SimpleNamespace(table=tables[folder.name])
    )
    found = check("mine", tmp_path / "real", tmp_path / "fake")
    assert found.auc == pytest.approx(auc)
    assert found.seems_swapped == swapped
    assert ("may be swapped" in str(found)) == swapped
    assert "3 fake, 3 real" in str(found)
    assert found.scores["video_id"].is_unique


def test_check_looks_at_both_folders_first(home, tmp_path):
    make_run(home, "mine")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").touch()
    with pytest.raises(DataNotFoundError, match="nowhere"):
        check("mine", tmp_path / "real", tmp_path / "nowhere")


def test_another_imported_file_of_the_card_is_named(home):
    make_run(home, "mesonet_Meso4_F2F", "mesonet", "Meso4_F2F.h5")
    with pytest.raises(DataNotFoundError, match=r"instead: mesonet:Meso4_F2F\.h5"):
        find_weights("mesonet")
