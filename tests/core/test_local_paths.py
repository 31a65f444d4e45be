"""No path of the machine is left in a text, and nothing else is taken for one."""

import tempfile
from pathlib import Path

import pytest

from dfworkbench.core.local_paths import map_texts, without_machine

ROOT = Path("/home/ann/lab")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ann/lab/checkpoints/x", "checkpoints/x"),
        ("/home/ann/My Files/w.pth", "w.pth"),
        ("/mnt/ann/w.pth", "w.pth"),
        ("C:\\Users\\Ann B\\x.pth", "x.pth"),
        ("\\\\srv\\share\\x.bin", "x.bin"),
        ("~/x/y.pt", "y.pt"),
        ("../../ann/z.pt", "z.pt"),
        ("file:///home/ann/q.png", "q.png"),
        ("/a/b.mp4: see /c/d/e.txt", "b.mp4: see e.txt"),
        ("reading '/data/set/x.mp4' failed (see /tmp/q/log.txt).", "reading 'x.mp4' failed (see log.txt)."),
        (f"in {tempfile.gettempdir()}/q/log.txt", "in log.txt"),
    ],
)
def test_paths(text, expected):
    assert without_machine(ROOT)(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "1/2/3", "and/or", "timm:vit_base", "hf-hub:owner/name", "https://example.org/a/b",
        "checkpoints/a/epoch_001.safetensors", "<b>a</b>/c", "24/7 is 3.43 / 1", "s/step",
    ],
)  # fmt: skip
def test_other_texts_stay(text):
    assert without_machine(ROOT)(text) == text


def test_records():
    record = {"a": ["/x/y.pt", 1, None, True], "/x/y": {"b": "/x/z.pt"}, "c": 0.5}
    assert map_texts(record, without_machine(ROOT)) == {"a": ["y.pt", 1, None, True], "/x/y": {"b": "z.pt"}, "c": 0.5}
