"""What notebook 03 shows beside a clip where no data set is extracted."""

from typing import Any

from dfworkbench.notebook import inference


def test_without_an_extracted_data_set_there_are_no_figures_and_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path))
    unused: Any = None
    found = inference.HeldOut(unused, "demo", "mean")
    assert "the data set 'demo' is not extracted in this workspace" in str(found)
    assert found.table() is None
    assert found.figures() == []
