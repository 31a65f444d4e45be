"""`dfworkbench zoo …` on the real cards, with a mirror on the loopback address in place of the authors' servers."""

import subprocess
import sys

import pytest

from dfworkbench import __main__ as cli
from dfworkbench import zoo

pytestmark = pytest.mark.usefixtures("home")
MESO = "github.com/SCLBD/DeepfakeBench/releases/download/v1.0.1/meso4_best.pth"


def test_list_is_one_line_per_card(capsys):
    assert cli.main(["zoo", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1 : len(zoo.list_cards()) + 1]] == [
        card.name for card in zoo.list_cards()
    ]
    assert max(map(len, lines)) < 180


def test_show_says_everything_on_the_card(capsys):
    for card in zoo.list_cards():
        assert cli.main(["zoo", "show", card.name]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        facts = [card.title, card.paper, card.code, card.licence_weights, card.accept, card.trained_on, *card.caveats]
        facts += [text for file in card.files for text in (file.name, file.url, file.sha256 or "", file.says)]
        facts += [figure.data for figure in card.figures]
        for fact in facts:
            assert " ".join(fact.split()) in shown


def test_a_misspelt_card_is_named(capsys):
    assert cli.main(["zoo", "show", "gend_clap"]) == 2
    assert "'gend_clip'" in capsys.readouterr().err
    assert cli.main(["zoo", "get", "dfb_meso4:meso.pth"]) == 2
    assert "meso4_best.pth" in capsys.readouterr().err


def test_get_asks_for_the_terms_and_prints_what_it_fetches(mirror, home, capsys):
    mirror.files[f"/{MESO}"] = b"weights"
    assert cli.main(["zoo", "get", "dfb_meso4"]) == 2
    said = capsys.readouterr()
    for part in ("DeepfakeBench, Meso4", f"{mirror.url}/{MESO}", "CC BY-NC 4.0", "SHA-256 not known"):
        assert part in said.out
    assert "--accept-licence dfb_meso4" in said.err
    assert cli.main(["zoo", "get", "dfb_meso4", "--accept-licence", "dfb_xception"]) == 2
    assert "names a card that is not used" in capsys.readouterr().err
    assert not mirror.asked
    assert cli.main(["zoo", "get", "dfb_meso4", "--accept-licence", "dfb_meso4"]) == 0
    path = home / "weights" / "dfb_meso4" / "meso4_best.pth"
    assert path.read_bytes() == b"weights"
    assert f"here: {path}" in capsys.readouterr().out
    assert cli.main(["zoo", "get", "dfb_meso4"]) == 0  # asked once
    cli.main(["zoo", "list"])
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines() if line.startswith("dfb_meso4 ")] == [
        "file"
    ]


def test_nothing_is_fetched_unasked(mirror, capsys, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    words = ["zoo", "score", "commfor_384", str(tmp_path / "a.png")]
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert "dfworkbench zoo get commfor_384" in said
    assert "--get" in said
    assert not mirror.asked
    assert cli.main([*words, "--get"]) == 2
    assert "404" in capsys.readouterr().err


def test_groups_and_misspelt_commands(capsys):
    assert cli.main(["zoo"]) == 0
    out = capsys.readouterr().out
    assert "zoo score" in out
    assert "demo-data" not in out
    assert cli.main(["zoo", "lst"]) == 2
    assert "Did you mean 'zoo list'?" in capsys.readouterr().err
    assert cli.main(["zoo", "get"]) == 2
    assert "dfworkbench zoo get --help" in capsys.readouterr().err


def test_import_takes_options_of_the_card(monkeypatch, home, capsys):
    seen = []

    def import_file(card, path, name, *, accept, **options):
        seen.append((card.name, path.name, name, accept, options))
        return home / "checkpoints" / "made"

    monkeypatch.setattr("dfworkbench.zoo.card_runs.import_file", import_file)
    words = "zoo import gend_clip model.safetensors --name made -p fake 1 -p backbone -x.bin"
    assert cli.main(words.split()) == 0
    assert seen == [("gend_clip", "model.safetensors", "made", False, {"fake": 1, "backbone": "-x.bin"})]
    assert "dfworkbench zoo score made PATH" in capsys.readouterr().out
    assert cli.main("zoo import gend_clip model.safetensors -p fake".split()) == 2
    assert "dfworkbench zoo import: -p fake is not complete" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["list"], ["show", "gend_clip"]])
def test_cards_need_no_torch(words):
    code = f"import sys, dfworkbench.__main__ as m; m.main({['zoo', *words]!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
