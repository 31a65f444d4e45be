"""Runs that were stored when options were text and some settings had other names."""

import json

import pandas as pd
import torch

from dfworkbench.__main__ import main
from dfworkbench.training import TrainSettings, train

SETTINGS = TrainSettings(
    dataset="toy", detector="mesonet4", size_px=32, detector_options={"dropout": 0.1, "crop_scale": 1.3}, epochs=1, batch_size=8,
    schedule="constant", frames_per_video=2, forgeries=["fake0"], threads=1, device="cpu",
)  # fmt: skip
FORMER = {"forgeries": "kinds", "allow_leaks": "leaky"}


def in_the_former_form(settings):
    texts = {"detector_options": ["dropout=0.1", "crop_scale=1.3"], "method_options": []}
    return {FORMER.get(name, name): value for name, value in (settings | texts).items()}


def store_in_the_former_form(folder):
    path = folder / "settings.json"
    path.write_text(json.dumps(in_the_former_form(json.loads(path.read_text())), indent=2, sort_keys=True))
    state = torch.load(folder / "resume.pt", weights_only=True)
    torch.save(state | {"settings": in_the_former_form(state["settings"])}, folder / "resume.pt")


def test_an_old_run_has_its_name_and_goes_on(toy):
    (first,) = train(SETTINGS, toy, progress=False)
    folder = first.checkpoint.parent
    store_in_the_former_form(folder)
    old = TrainSettings(**json.loads((folder / "settings.json").read_text()))
    assert old.model_name == SETTINGS.model_name == folder.name
    assert old == SETTINGS
    epochs = list(train(TrainSettings.read(folder / "settings.json", epochs=2), toy, progress=False))
    assert [epoch.number for epoch in epochs] == [1, 2]
    assert len(pd.read_csv(folder / "history.csv")) == 2


def test_train_settings_continues_a_run(toy, monkeypatch, capsys):
    monkeypatch.setenv("DFWORKBENCH_HOME", str(toy.root))
    (first,) = train(SETTINGS, toy, progress=False)
    folder = first.checkpoint.parent
    store_in_the_former_form(folder)
    assert main(["train", "--settings", str(folder / "settings.json"), "--epochs", "2"]) == 0
    assert "epoch 2/2" in capsys.readouterr().out
    assert len(pd.read_csv(folder / "history.csv")) == 2
    assert main(["train", "--settings", str(folder / "settings.json"), "--kinds", "fake0", "--seed", "1"]) == 2
    err = capsys.readouterr().err
    assert "seed was 0, is 1" in err
    assert "forgeries" not in err
    assert main(["train", "--settings", str(folder / "none.json")]) == 2
