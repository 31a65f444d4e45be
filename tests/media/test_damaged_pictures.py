"""Pictures that are damaged in their middle: refused where a decoder notices, and standard error is left as it was."""

import io
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dfworkbench.core.errors import MediaError
from dfworkbench.media import read_image
from dfworkbench.media.pictures import decoder_messages

SIDE = 128
_random = np.random.default_rng(11)
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
PICTURE = np.clip(
    np.stack([COLUMNS * 2, ROWS * 2, ROWS + COLUMNS], -1) + _random.normal(0, 10, (SIDE, SIDE, 3)), 0, 255
).astype(np.uint8)


def saved(kind="JPEG", mode="RGB", **options):
    out = io.BytesIO()
    Image.fromarray(PICTURE).convert(mode).save(out, kind, **options)
    return out.getvalue()


WHOLE = {
    "plain": saved(quality=90),
    "coarse": saved(quality=50),
    "full colour": saved(quality=90, subsampling=0),
    "grey": saved(mode="L", quality=90),
    "CMYK": saved(mode="CMYK", quality=90),
    "progressive": saved(quality=90, progressive=True),
    "with restarts": saved(quality=90, restart_marker_rows=1),
    "with Huffman codes of its own": saved(quality=90, optimize=True),
    "TIFF of JPEG": saved("TIFF", compression="jpeg", quality=90),
    "TIFF of LZW": saved("TIFF", compression="tiff_lzw"),
}


def doubled(data, at):
    return data[:at] + data[at - 70 : at] + data[at:]


def overwritten(data, at):
    noise = bytes(byte for byte in np.random.default_rng(at).integers(1, 255, 90, np.uint8).tolist())
    return data[:at] + noise + data[at + 90 :]


def other_file(data, at):
    """As after mended file systems: part of another picture."""
    other = saved(quality=30)
    return data[:at] + other[len(other) // 2 : len(other) // 2 + 150] + data[at + 150 :]


def read(tmp_path, data):
    (tmp_path / "any").write_bytes(data)
    return read_image(tmp_path / "any")


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_pictures_are_read_as_before(tmp_path, kind):
    plain = cv2.imdecode(np.frombuffer(WHOLE[kind], np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read(tmp_path, WHOLE[kind]), plain[..., ::-1])


def status_of(tmp_path, data):
    try:
        read(tmp_path, data)
    except MediaError as error:
        return error.status
    return "read"


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged tags
@pytest.mark.parametrize("damage", [doubled, overwritten, other_file])
@pytest.mark.parametrize("kind", WHOLE)
def test_damage_in_the_middle_is_not_read_as_if_nothing_were(tmp_path, kind, damage):
    """At six places each, of which two may pass: by chance the codes come out even (docs/decisions/0021-what-a-picture-is.md)."""
    places = (int(len(WHOLE[kind]) * share) for share in np.linspace(0.45, 0.85, 6))
    found = [status_of(tmp_path, damage(WHOLE[kind], place)) for place in places]
    assert sum(status in ("unreadable", "truncated") for status in found) >= 4


def test_the_message_has_the_decoders_words(tmp_path):
    words = r"damaged, and part of its pixels is lost \(the decoder says .Corrupt JPEG data.*copy it again"
    with pytest.raises(MediaError, match=words):
        read(tmp_path, doubled(WHOLE["plain"], len(WHOLE["plain"]) // 2))


def test_what_others_print_meanwhile_is_passed_on(tmp_path, capfd, monkeypatch):
    decode = decoder_messages._decode

    def busy(data):
        os.write(2, b"progress: 40 %\n")
        return decode(data)

    monkeypatch.setattr(decoder_messages, "_decode", busy)
    with pytest.raises(MediaError):
        read(tmp_path, doubled(WHOLE["plain"], len(WHOLE["plain"]) // 2))
    os.write(2, b"afterwards\n")
    said = capfd.readouterr().err
    assert "progress: 40 %\n" in said
    assert "Corrupt JPEG" not in said
    assert said.endswith("afterwards\n")


def test_threads_do_not_hear_each_others_pictures(tmp_path):
    files = {"whole": WHOLE["plain"], "hurt": doubled(WHOLE["plain"], len(WHOLE["plain"]) // 2)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    found = {name: set() for name in files}

    def work(name):
        for _ in range(20):
            try:
                read_image(tmp_path / name)
                found[name].add("read")
            except MediaError:
                found[name].add("refused")

    threads = [threading.Thread(target=work, args=(name,)) for name in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"whole": {"read"}, "hurt": {"refused"}}


def test_no_descriptor_is_left_open(tmp_path):
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("needs /proc")
    read(tmp_path, WHOLE["plain"])
    before = len(list(descriptors.iterdir()))
    for _ in range(5):
        read(tmp_path, WHOLE["plain"])
    assert len(list(descriptors.iterdir())) == before


def test_a_process_without_standard_error_still_reads(tmp_path):
    (tmp_path / "a.jpg").write_bytes(WHOLE["plain"])
    code = f"import os; os.close(2)\nfrom dfworkbench.media import read_image\nprint(read_image({str(tmp_path / 'a.jpg')!r}).shape)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == f"({SIDE}, {SIDE}, 3)"


def test_a_build_that_prints_nothing_is_named_once(monkeypatch, caplog):
    monkeypatch.setattr(decoder_messages, "_decode", lambda _: np.zeros((1, 1, 3), np.uint8))
    decoder_messages._warn_if_deaf.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            decoder_messages.decode_listening(WHOLE["plain"])
    decoder_messages._warn_if_deaf.cache_clear()
    assert [message.partition(":")[0] for message in caplog.messages] == [
        f"OpenCV {cv2.__version__} does not report damaged JPEG files here"
    ]
