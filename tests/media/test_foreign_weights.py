"""Weight files of other programs: safetensors, arguments of a program beside tensors, TorchScript."""

import argparse
import json
import warnings
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from dfworkbench.core.errors import CheckpointError, DataNotFoundError
from dfworkbench.media.foreign import is_safetensors, read_safetensors, read_tensors

WORDS = {"doing": "reading", "where_to_get": "Get it from https://example.org", "expected": "weights"}


def _header(table: dict, length: int | None = None) -> bytes:
    text = json.dumps(table).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text


def test_safetensors_are_read_by_name(tmp_path):
    save_file({"a": torch.arange(3), "b": torch.ones(2, 2, dtype=torch.bfloat16)}, tmp_path / "w")
    found = read_safetensors(tmp_path / "w", **WORDS)
    assert found["a"].tolist() == [0, 1, 2]
    assert found["b"].dtype == torch.bfloat16
    assert is_safetensors(tmp_path / "w")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>404</html>",
        _header({}, 200_000_000),
        _header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}),
        _header({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}),
        _header({}),
    ],
)
def test_damaged_safetensors_are_refused(content, tmp_path):
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"reading: .*w"):
        read_safetensors(tmp_path / "w", **WORDS)


def test_files_of_another_format_are_named(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"torch\.save"):
        read_safetensors(tmp_path / "w.pth", **WORDS)
    assert not is_safetensors(tmp_path / "w.pth")
    with pytest.raises(DataNotFoundError, match=r"example\.org"):
        read_safetensors(tmp_path / "none", **WORDS)


@pytest.mark.parametrize("zipped", [True, False])
def test_arguments_of_a_program_are_let_through_where_asked_for(zipped, tmp_path):
    content = {"model": {"a": torch.ones(2)}, "args": argparse.Namespace(lr=0.1, names=["x"])}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    found = read_tensors(tmp_path / "w.pth", entries=("model",), namespaces=True, **WORDS)
    assert found["a"].tolist() == [1, 1]
    with pytest.raises(CheckpointError, match=r"argparse\.Namespace"):
        read_tensors(tmp_path / "w.pth", entries=("model",), **WORDS)


def test_arguments_that_hold_code_are_refused(tmp_path):
    content = {"model": {"a": torch.ones(2)}, "args": argparse.Namespace(run=print)}
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="print"):
        read_tensors(tmp_path / "w.pth", entries=("model",), namespaces=True, **WORDS)


@pytest.mark.parametrize("entry", ["constants.pkl", "code/__torch__/net.py"])
def test_torchscript_is_refused_by_name(entry, tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth", "a") as archive:
        archive.writestr(f"w/{entry}", b"x" * 9)
    with pytest.raises(CheckpointError, match=f"TorchScript.*{entry}"):
        read_tensors(tmp_path / "w.pth", entries=(), **WORDS)


def test_a_real_program_is_refused_by_name(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"TorchScript.*example\.org"):
        read_tensors(tmp_path / "w.pt", entries=(), **WORDS)
