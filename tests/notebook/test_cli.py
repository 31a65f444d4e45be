import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from pydantic import Field

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.settings import Settings
from dfworkbench.notebook.doctor import Doctor, Finding


class ToySettings(Settings):
    epochs: int = Field(3, ge=1, le=100, description="Passes, 100 % of them.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Step.")
    augment: bool = Field(True, description="Vary.")
    limit: int | None = Field(None, description="At most.")
    kinds: tuple[str, ...] = Field((), description="Which.")
    options: dict[str, Any] = Field({}, description="More.")
    renamed = {"rate": "learning_rate"}


@pytest.fixture
def trained(monkeypatch):
    """`dfworkbench train` with toy settings; gives what reached the training."""
    seen = []

    def train(settings):
        seen.append(settings)
        epoch = SimpleNamespace(
            number=1,
            epochs=1,
            train={"loss": 0.5},
            val={"loss": 0.4, "auc_video": 0.9},
            best=True,
            checkpoint="e.safetensors",
        )
        return iter([epoch])

    monkeypatch.setitem(sys.modules, "dfworkbench.training", SimpleNamespace(TrainSettings=ToySettings, train=train))
    return seen


def test_flags_are_the_fields(trained, capsys):
    code = cli.main("train --epochs 7 --learning-rate 1e-2 --no-augment --limit 5 --kinds a,b".split())
    assert code == 0
    assert trained == [ToySettings(epochs=7, learning_rate=0.01, augment=False, limit=5, kinds=("a", "b"))]
    assert "epoch 1/1: train loss 0.5000, val loss 0.4000, val AUC 0.9000 (best so far)" in capsys.readouterr().out


def test_options_are_pairs_and_may_hold_commas(trained, capsys):
    words = ["train", "--options", 'swap={"a": 1, "b": [2, 3]}, deep=true', "--options", "kind=x"]
    assert cli.main(words) == 0
    assert trained[0].options == {"swap": {"a": 1, "b": [2, 3]}, "deep": True, "kind": "x"}
    assert cli.main(["train", "--options", "deep"]) == 2
    assert "'deep' is not a name=value pair" in capsys.readouterr().err


def test_former_flags_work_and_say_what_they_are_called_now(trained, caplog):
    assert cli.main("train --rate 0.5".split()) == 0
    assert trained[0].learning_rate == 0.5
    assert "--rate is now called --learning-rate" in caplog.text


def test_no_flags_are_the_defaults(trained):
    assert cli.main(["train"]) == 0
    assert trained == [ToySettings()]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train --epoch 3", "there is no flag of dfworkbench train '--epoch'. Did you mean '--epochs'?"),
        ("train --epochs=3 --lerning-rate=1", "Did you mean '--learning-rate'?"),
        ("train --epochs 0", "ToySettings.epochs = '0': input should be greater than or equal to 1."),
        ("train --epochs many", "ToySettings.epochs = 'many'"),
        ("trian", "there is no command 'trian'. Did you mean 'train'?"),
        ("train --epochs", "expected one argument"),
        ("run 02_trian", "Did you mean '02_train'?"),
    ],
)
def test_mistakes_give_a_message_and_code_2(trained, capsys, words, message):
    assert cli.main(words.split()) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert trained == []


def test_traceback_on_request(trained, capsys):
    assert cli.main("train --epochs 0 --traceback".split()) == 2
    assert "Traceback" in capsys.readouterr().err


def test_our_own_errors_are_not_hidden(monkeypatch):
    """A bug is no mistake of the user: it keeps its traceback."""

    def broken(given):
        raise ZeroDivisionError

    monkeypatch.setitem(cli.COMMANDS, "doctor", cli.COMMANDS["doctor"]._replace(run=broken))
    with pytest.raises(ZeroDivisionError):
        cli.main(["doctor"])


@pytest.mark.parametrize(("findings", "code"), [([], 0), ([Finding("a clash", "the cure")], 1)])
def test_doctor_exit_code(monkeypatch, capsys, findings, code):
    doctor = Doctor({"Python": "3.11"}, [], findings)
    monkeypatch.setattr("dfworkbench.notebook.doctor.examine", lambda: doctor)
    assert cli.main(["doctor"]) == code
    assert ("the cure" in capsys.readouterr().out) == bool(findings)


def test_score_refuses_before_it_prints(monkeypatch, capsys):
    def score(paths, checkpoint, settings, table):
        raise DataNotFoundError(f"no run {checkpoint!r}")

    fake = SimpleNamespace(ScoreSettings=ToySettings, score_to_table=score)
    monkeypatch.setitem(sys.modules, "dfworkbench.evaluation.scoring.score", fake)
    assert cli.main("score a.mp4 --checkpoint none".split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no run 'none'" in captured.err


def test_extract_sums_up(monkeypatch, capsys):
    videos = pd.DataFrame({"status": ["ok", "ok", "no_face"]})
    found = SimpleNamespace(videos=videos, faces=range(12))
    fake = SimpleNamespace(ExtractSettings=ToySettings, extract=lambda settings: found)
    monkeypatch.setitem(sys.modules, "dfworkbench.extraction", fake)
    assert cli.main(["extract"]) == 0
    assert "12 faces from 3 files: 2 ok, 1 no_face" in capsys.readouterr().out


def test_help_and_a_sweep_need_no_torch():
    # each cell of a sweep runs in a kernel of its own; its worker waits, and should be small
    code = (
        "import sys, dfworkbench.__main__ as m; m.main([]); import dfworkbench.notebook.sweep; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_running_notebooks_compiles_no_grammars_of_addresses():
    # jsonschema would, for two seconds, where rfc3987-syntax is installed; a parser that is not loaded compiles nothing
    code = "import sys, dfworkbench.notebook.runner, papermill; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_score_loads_only_what_it_needs():
    # each of them takes a third of a second or more
    code = (
        "import sys, dfworkbench.__main__, dfworkbench.evaluation.scoring.score; "
        "slow = {'scipy.stats', 'scipy.optimize', 'sklearn', 'matplotlib', 'IPython', 'distributed', 'torchvision', 'timm'}; "
        "sys.exit(str(slow & set(sys.modules)) if slow & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """`dfworkbench run` that runs nothing; gives the parameters that reached it."""
    seen = []

    def run_notebook(notebook, parameters, output):
        seen.append(parameters)
        return tmp_path / "x.ipynb"

    monkeypatch.setattr("dfworkbench.notebook.runner.run_notebook", run_notebook)
    return seen


@pytest.mark.parametrize(
    "value", ["-1e-3", "-5", "-.5", "-inf", "--fast", "--output", "--traceback", "-p", "-h", "", "a=b", "-"]
)
def test_values_of_parameters_are_taken_as_they_are(ran, value):
    assert cli.main(["run", "02_train", "-p", "x", value, "-p", "y", "1"]) == 0
    assert cli.main(["--traceback", "run", "02_train", "-p", "x", value]) == 0
    assert ran == [{"x": value, "y": "1"}, {"x": value}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "x"], "-p x is not complete; expected -p NAME VALUE"),
        (["-p"], "-p  is not complete"),
        (["-px", "1"], "expected"),
        (["-p", "x", "1", "-p", "x", "2"], "-p x is given twice, as '1' and '2'"),
    ],
)
def test_pairs_must_be_complete_and_stand_once(ran, capsys, words, message):
    assert cli.main(["run", "02_train", *words]) == 2
    assert message in capsys.readouterr().err
    assert ran == []


def test_negative_numbers_are_values_of_flags(trained, capsys):
    assert cli.main("train --learning-rate -1e-3".split()) == 2
    assert "ToySettings.learning_rate = '-1e-3'" in capsys.readouterr().err


def test_score_refuses_to_overwrite_what_is_no_score_table(monkeypatch, capsys, tmp_path):
    mine = tmp_path / "budget.csv"
    mine.write_text("month,euros\n1,5\n")
    fake = SimpleNamespace(ScoreSettings=ToySettings, score=lambda *given: pytest.fail("scored before it was refused"))
    monkeypatch.setitem(sys.modules, "dfworkbench.evaluation.scoring.score", fake)
    assert cli.main(["score", "a.mp4", "--checkpoint", "m", "--table", str(mine)]) == 2
    assert "did not write as a score table" in capsys.readouterr().err
    assert mine.read_text() == "month,euros\n1,5\n"
