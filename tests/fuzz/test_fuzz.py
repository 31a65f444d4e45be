"""The short run of fuzz.py: some damaged files for each reader, drawn from fixed numbers. The long one is run by hand."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fuzz import damaged, fuzz_here
from readers import READERS, Reader

COUNT, SECONDS = 60, 0.8


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_raise_our_errors_only(name):
    read, findings = fuzz_here(name, 0, COUNT, SECONDS)
    assert read > 0
    assert not findings, findings[:3]


def test_a_reader_that_lets_something_through_is_found(monkeypatch):
    def read(file):
        return file.read_text(encoding="utf-8")

    monkeypatch.setitem(READERS, "careless", Reader("a.txt", lambda folder: b"some text, whole", read))
    _, findings = fuzz_here("careless", 0, 100)
    assert any(finding["found"].startswith("UnicodeDecodeError") for finding in findings)


def test_a_number_stands_for_one_file():
    whole = bytes(range(256)) * 4
    assert damaged(whole, 7) == damaged(whole, 7)
    assert len({damaged(whole, number)[0] for number in range(50)}) > 40
