"""Small files that ask for gigabytes, or for ever: each is refused with our error, before anything is allocated."""

import io
import json
import pickle
import struct
import subprocess
import sys
import time
import warnings
import zipfile

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from dfworkbench.core.errors import CheckpointError, MediaError, TableError, WorkbenchError
from dfworkbench.datasets.tables import read_table
from dfworkbench.media.foreign import (
    bounded_memory,
    memory,
    parse_json,
    read_arrays,
    read_json,
    read_tensors,
    require_cells,
)
from dfworkbench.media.pictures.images import read_image
from dfworkbench.methods.mesonet.weights import read_keras_layers

GIB = 1 << 30
WORDS = {"doing": "importing", "where_to_get": "Get it", "expected": "tensors"}


def tensors(path):
    return read_tensors(path, entries=("network",), **WORDS)


def number(value: int) -> bytes:
    return pickle.dumps(value, protocol=2)[2:-1]


def call(module: str, name: str, *values: int) -> bytes:
    """A pickle that calls a function with numbers."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + b"".join(map(number, values)) + b"tR."


def storage(count: int, key: bytes = b"0", kind: bytes = b"FloatStorage") -> bytes:
    text = b"(X\x07\x00\x00\x00storagectorch\n" + kind + b"\nX\x01\x00\x00\x00" + key + b"X\x03\x00\x00\x00cpu"
    return text + number(count) + b"tQ"


def tensor(count: int, size: list[int], stride: list[int], offset: int = 0) -> bytes:
    shapes = b"".join(b"(" + b"".join(map(number, numbers)) + b"t" for numbers in (size, stride))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(count) + number(offset) + shapes + b"\x89N" + b"tR"


def packed(body: bytes, data: bytes = b"\0" * 16, **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, content in (("data.pkl", body), ("version", b"3\n"), ("byteorder", b"little"), ("data/0", data)):
            archive.writestr(f"w/{name}", content)
    return buffer.getvalue()


def in_dict(value: bytes, key: bytes = b"X\x01\x00\x00\x00a") -> bytes:
    return b"\x80\x02}" + key + value + b"s."


def deep(depth: int = 200_000) -> bytes:
    return b")" + b"\x85" * depth


PICKLES = {
    "a bytearray": call("__builtin__", "bytearray", 20 * GIB),
    "a bytearray, by its other name": call("builtins", "bytearray", 20 * GIB),
    "a storage that is made": call("torch", "FloatStorage", 5 * GIB),
    "an untyped storage": call("torch.storage", "UntypedStorage", 20 * GIB),
    "a storage without bytes": in_dict(tensor(5 * GIB, [5 * GIB], [1])),
    "a tensor beyond its storage": in_dict(tensor(4, [1 << 20], [1])),
    "an offset beyond its storage": in_dict(tensor(4, [2], [1], offset=3)),
    "a step beyond its storage": in_dict(tensor(4, [2, 2], [1 << 40, 1])),
    "a tensor that repeats its value": in_dict(tensor(4, [1 << 20, 1 << 20], [0, 0])),
    "a tensor without storage": in_dict(b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(" + number(1) + b"tR"),
    "a sparse tensor": in_dict(b"ctorch._utils\n_rebuild_sparse_tensor\n(tR"),
    "a negative size": in_dict(tensor(4, [-1, -4], [1, 1])),
    "a key that overflows the stack": in_dict(b"N", deep()),
    "pairs that overflow the stack": b"\x80\x02ccollections\nOrderedDict\n(](" + deep() + b"NteetR.",
    "a set that overflows the stack": b"\x80\x04\x8f(" + deep() + b"\x90.",
    "a long number": in_dict(b"\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20)),
    "a place in memory": b"\x80\x02}r\xff\xff\xff\x7f.",
    "bytes that are not there": b"\x80\x05\x96" + struct.pack("<Q", 20 * GIB) + b"abc.",
    "another program": call("os", "abort"),
}


@pytest.fixture(autouse=True)
def in_time():
    start = time.perf_counter()
    yield
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("kind", PICKLES)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "bare"])
def test_pickles_in_files_of_torch(tmp_path, kind, zipped):
    (tmp_path / "w").write_bytes(packed(PICKLES[kind]) if zipped else PICKLES[kind])
    with pytest.raises(CheckpointError, match="Expected tensors"):
        tensors(tmp_path / "w")


@pytest.mark.parametrize("kind", PICKLES)
def test_pickles_of_arrays(tmp_path, kind):
    (tmp_path / "w").write_bytes(PICKLES[kind])
    with pytest.raises(CheckpointError, match="Expected tensors"):
        read_arrays(tmp_path / "w", **WORDS)


def test_an_array_of_many_long_sides(tmp_path):
    """A shape that names one long number a thousand times: their product takes for ever."""
    shape = b"(" + b"\x8b" + struct.pack("<i", 1 << 18) + b"\x7f" * (1 << 18) + b"q\x00" + b"h\x00" * 100_000 + b"t"
    body = (
        b"\x80\x02}(X\x01\x00\x00\x00acnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR(I1\n" + shape
    )
    (tmp_path / "w").write_bytes(body + b"cnumpy\ndtype\n(Vf4\ntRI00\nVb\ntbu.")
    with pytest.raises(CheckpointError):
        read_arrays(tmp_path / "w", **WORDS)


def test_the_older_format_with_a_storage_that_is_not_there(tmp_path):
    buffer = io.BytesIO()
    torch.save({"network": {"a": torch.ones(4)}}, buffer, _use_new_zipfile_serialization=False)
    whole = buffer.getvalue()
    (tmp_path / "w").write_bytes(whole)
    assert tensors(tmp_path / "w")["a"].sum() == 4
    more = whole.replace(b"K\x04N", b"\x8a\x05" + (5 * GIB).to_bytes(5, "little") + b"N", 1)
    assert more != whole
    (tmp_path / "w").write_bytes(more)
    with pytest.raises(CheckpointError, match=r"of which|in a file of|Expected tensors"):
        tensors(tmp_path / "w")


@pytest.mark.parametrize("kind", ["deflated", "twice", "without a pickle", "two pickles"])
def test_archives(tmp_path, kind):
    body = in_dict(tensor(4, [4], [1]))
    data = {
        "deflated": packed(body, compression=zipfile.ZIP_DEFLATED),
        "without a pickle": packed(body).replace(b"data.pkl", b"dada.pkl"),
    }
    if kind in ("twice", "two pickles"):
        buffer = io.BytesIO(packed(body))
        with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a") as archive:
            warnings.simplefilter("ignore")  # of the double name
            archive.writestr("w/data/0" if kind == "twice" else "v/data.pkl", body)
        data[kind] = buffer.getvalue()
    (tmp_path / "w").write_bytes(packed(body))
    assert tensors(tmp_path / "w")["a"].tolist() == [0, 0, 0, 0]
    (tmp_path / "w").write_bytes(data[kind])
    with pytest.raises(CheckpointError):
        tensors(tmp_path / "w")


def test_tensors_that_share_their_values_many_times(tmp_path):
    data = torch.zeros(1 << 20)
    torch.save({"network": {str(i): data.view(-1) for i in range(400)}}, tmp_path / "w")
    with pytest.raises(CheckpointError, match="much larger than the file"):
        tensors(tmp_path / "w")
    torch.save({"network": {"a": data, "b": data}}, tmp_path / "w")  # tied weights are usual
    assert len(tensors(tmp_path / "w")) == 2


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b"[" + b"9" * 5000 + b"]", b"\xff\xfe[", b'{"a"'])
def test_json(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(ValueError, match=r"nested too deep|digits|decode|delimiter|Expecting"):
        read_json(tmp_path / "a.json")


def test_json_that_grows(monkeypatch):
    monkeypatch.setattr(memory, "MOST_EXTRA_BYTES", 10_000)
    for text in ("[" + "[]," * 200 + "0]", "[" + "{}," * 100 + "0]", "[" + "1," * 200 + "1]"):
        with pytest.raises(ValueError, match="GB of memory"):
            parse_json(text)
    assert parse_json('{"a": "' + "x" * 100_000 + '"}')["a"]  # a long text is as long as it is


def test_the_estimate_of_json_is_no_less_than_what_is_taken():
    import tracemalloc

    for text in (
        "[" + "[]," * 20_000 + "0]",
        "[" + '{"a":1},' * 9_000 + "0]",
        "[" + "1.5," * 20_000 + "1]",
        json.dumps({str(i): [i] for i in range(9000)}),
    ):
        tracemalloc.start()
        _ = json.loads(text)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 200 * text.count("{") + 100 * text.count("[") + 100 * text.count(",") + len(text) > 0.9 * taken


def test_text_tables(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("a," * 20_000 + "b\n")
    with pytest.raises(TableError, match="20,000 columns"):
        read_table("score", tmp_path / "a.csv")
    monkeypatch.setattr(memory, "MOST_EXTRA_BYTES", 10_000)
    for text in ("a,b\n" + "," * 1000, "a\n" + "\n" * 1000, "a\tb\n" + "\t" * 1000):
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(TableError, match="cells, which take more"):
            require_cells(tmp_path / "a.csv", "reading", TableError)


def test_a_parquet_file_of_one_value(tmp_path, monkeypatch):
    pd.DataFrame({"a": np.zeros(1_000_000, np.int64), "b": "x" * 50}).to_parquet(tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    monkeypatch.setattr("dfworkbench.datasets.tables.store.MOST_EXTRA_BYTES", 1_000_000)
    with pytest.raises(TableError, match="1,000,000 rows of 2 columns"):
        read_table("score", tmp_path / "a.parquet")


@pytest.mark.parametrize("kind", ["declared", "chunked", "outside", "virtual", "text", "deflated"])
def test_hdf5(tmp_path, kind):
    (tmp_path / "secret").write_bytes(b"\0" * 64)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        group = file.create_group("conv2d_1/conv2d_1")
        if kind == "declared":
            group.create_dataset("kernel:0", (1 << 33,), "f4")
        elif kind == "chunked":
            group.create_dataset("kernel:0", (1 << 16, 1 << 16), "f4", chunks=(64, 64))
        elif kind == "outside":
            group.create_dataset("kernel:0", (16,), "f4", external=[(str(tmp_path / "secret"), 0, 64)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4,), "f4")
            layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "a", (4,))
            group.create_virtual_dataset("kernel:0", layout)
        elif kind == "text":
            group.create_dataset("kernel:0", data=["a"])
        else:
            group.create_dataset("kernel:0", data=np.zeros(1 << 22, "f4"), compression="gzip")
    with pytest.raises(CheckpointError, match="not an array of numbers stored in the file"):
        read_keras_layers(tmp_path / "w.h5")


def huge(suffix: str) -> bytes:
    """A picture of 64 x 48 pixels whose header says 50,000 x 50,000, or for WebP 16,383."""
    data = bytearray(cv2.imencode(suffix, np.zeros((48, 64, 3), np.uint8))[1].tobytes())
    side = 50_000
    if suffix == ".tiff":
        for tag, size in ((256, 64), (257, 48)):
            at = (
                data.find(struct.pack("<HH", tag, 3))
                if struct.pack("<HH", tag, 3) in data
                else data.find(struct.pack("<HH", tag, 4))
            )
            assert struct.unpack_from("<H", data, at + 8)[0] == size
            struct.pack_into("<HII", data, at + 2, 4, 1, side)
    elif suffix == ".webp":
        lossy = data[12:16] == b"VP8 "
        struct.pack_into("<HH", data, 26, 0x3FFF, 0x3FFF) if lossy else struct.pack_into(
            "<I", data, 21, 0x3FFF << 14 | 0x3FFF
        )
    elif suffix == ".gif":
        struct.pack_into("<HH", data, 6, side, side)
    elif suffix == ".jpg":
        struct.pack_into(">HH", data, data.find(b"\xff\xc0") + 5, side, side)
    elif suffix == ".bmp":
        struct.pack_into("<ii", data, 18, side, -side)
    else:
        struct.pack_into(">II", data, 16, side, side)
    return bytes(data)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff", ".webp", ".gif"])
def test_pictures_that_claim_a_huge_size(tmp_path, suffix):
    (tmp_path / "a.png").write_bytes(huge(suffix))
    with pytest.raises(MediaError, match=r"(50000|16383|16384) x \d+ pixels; at most"):
        read_image(tmp_path / "a.png")


def test_a_jpeg_with_rubbish_before_its_size(tmp_path):
    data = huge(".jpg")
    (tmp_path / "a.jpg").write_bytes(data[:2] + b"rubbish" + data[2:])
    with pytest.raises(MediaError, match="50000 x 50000 pixels; at most"):
        read_image(tmp_path / "a.jpg")


def test_a_jpeg_of_endless_passes(tmp_path):
    data = cv2.imencode(".jpg", np.zeros((8000, 8000), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(data)
    assert read_image(tmp_path / "a.jpg").shape == (8000, 8000, 3)
    at = data.rfind(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(data[:at] + data[at:-2] * 200 + data[-2:])
    with pytest.raises(MediaError, match=r"in 2\d\d passes"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    "data",
    [b"P6 40000 40000 255\n", b"#?RADIANCE\n\n-Y 40000 +X 40000\n", b"v/1\x01" * 20, b"\0\0\0\x0cjP  \r\n\x87\n"],
)
def test_formats_that_nobody_expects_are_not_decoded(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(MediaError, match="Expected PNG, JPEG"):
        read_image(tmp_path / "a.png")


def test_the_fence_of_the_process(tmp_path):
    resource = pytest.importorskip("resource")
    (tmp_path / "a").touch()
    before = resource.getrlimit(resource.RLIMIT_AS)
    with (
        pytest.raises(WorkbenchError, match="more than 2 GB of memory beyond its own size"),
        bounded_memory(tmp_path / "a", "reading", WorkbenchError),
    ):
        bytearray(20 * GIB)
    with (
        bounded_memory(tmp_path / "a", "reading", WorkbenchError),
        bounded_memory(tmp_path / "a", "reading", WorkbenchError),
    ):
        assert len(bytearray(100_000_000)) == 100_000_000
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_the_fence_is_taken_down_where_there_was_no_limit(tmp_path):
    """In a process of its own: a fence that stays hides itself from whoever looks later."""
    pytest.importorskip("resource")
    code = f"""
import resource
from pathlib import Path
from dfworkbench.media.foreign import bounded_memory
limit = lambda: resource.getrlimit(resource.RLIMIT_AS)
before = limit()
for _ in range(2):
    with bounded_memory(Path({str(tmp_path)!r}), "reading", ValueError):
        within = limit()
    assert within[0] != resource.RLIM_INFINITY, within
    assert limit() == before, (before, limit())
"""
    subprocess.run([sys.executable, "-c", code], check=True)
