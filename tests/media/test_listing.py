"""What a listing finds, and that everything it does not take is named: kinds of links, names and files."""

import logging
import os
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.media import list_media
from dfworkbench.media.listing import list_folder
from dfworkbench.media.walk import readable, walk


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(root):
    return [path.relative_to(root).as_posix() for path in list_folder(root).media]


@pytest.fixture
def disk(tmp_path):
    """Another disk with two videos, and a folder `root` with one."""
    touch(tmp_path, "disk/b.mp4", "disk/deep/c.mkv", "root/a.mp4")
    return tmp_path / "root"


LINKS = {
    "a folder": (("clips", "../disk"), ["a.mp4", "clips/b.mp4", "clips/deep/c.mkv"]),
    "a folder, by an absolute path": (("clips", "{}/disk"), ["a.mp4", "clips/b.mp4", "clips/deep/c.mkv"]),
    "a file": (("clip.mp4", "../disk/b.mp4"), ["a.mp4", "clip.mp4"]),
    "a file without suffix": (("clip.mkv", "../disk/deep/c.mkv"), ["a.mp4", "clip.mkv"]),
}


@pytest.mark.parametrize("kind", LINKS)
def test_links_are_followed(disk, kind):
    (link, target), found = LINKS[kind]
    (disk / link).symlink_to(target.format(disk.parent))
    assert names(disk) == found
    assert not list_folder(disk).left_out


def test_a_link_to_a_folder_with_a_link(disk):
    (disk.parent / "disk" / "more").symlink_to("../third")
    touch(disk.parent, "third/d.mp4")
    (disk / "clips").symlink_to("../disk")
    assert names(disk) == ["a.mp4", "clips/b.mp4", "clips/deep/c.mkv", "clips/more/d.mp4"]


CIRCLES = {
    "to its own folder": [("again", ".")],
    "to a folder above": [("deep/up", "..")],
    "to the parent of all": [("up", "..")],
    "of two links": [("x/y", "../z"), ("z/y", "../x")],
}


@pytest.mark.parametrize("kind", CIRCLES)
def test_circles_end_and_are_named(disk, kind):
    for link, target in CIRCLES[kind]:
        (disk / link).parent.mkdir(exist_ok=True)
        (disk / link).symlink_to(target)
    listing = list_folder(disk)
    assert disk / "a.mp4" in listing.media
    assert listing.left_out["link(s) back to a folder above"]
    assert len(listing.media) <= 4


def test_links_to_folders_of_links_do_not_grow_without_end(tmp_path):
    """Thirty folders of two links each lead to the same video by a thousand million paths."""
    for number in range(30):
        (tmp_path / f"d{number}").mkdir()
        for link in "ab":
            (tmp_path / f"d{number}" / link).symlink_to(f"../d{number + 1}")
    touch(tmp_path, "d30/v.mp4")
    found = walk(tmp_path)
    assert tmp_path / "d30" / "v.mp4" in found.files
    assert len(found.files) <= 16
    assert found.left_out["link(s) to a folder that is read under 16 other paths"]


def test_one_file_under_two_paths_is_listed_under_both_and_named(disk):
    touch(disk, "pool/p.mp4")
    (disk / "test").symlink_to("pool")
    (disk / "z.mp4").symlink_to("a.mp4")
    listing = list_folder(disk)
    assert names(disk) == ["a.mp4", "pool/p.mp4", "test/p.mp4", "z.mp4"]
    assert "2 of them under a second path (first: test/p.mp4 is pool/p.mp4)" in str(listing)


def pipe(root):
    os.mkfifo(root / "p.mp4")


def plug(root):
    here = Path.cwd()
    os.chdir(root)  # the path of a socket has at most 107 characters
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s.mp4")
    finally:
        os.chdir(here)


LEFT_OUT = {
    "a link to nothing": (lambda r: (r / "x.mp4").symlink_to("gone.mp4"), "1 link(s) that point nowhere: x.mp4"),
    "a link to itself": (lambda r: (r / "x.mp4").symlink_to("x.mp4"), "1 link(s) that point nowhere: x.mp4"),
    "a pipe": (pipe, "1 pipe(s), socket(s) or device(s): p.mp4"),
    "a socket": (plug, "1 pipe(s), socket(s) or device(s): s.mp4"),
    "a hidden video": (lambda r: touch(r, ".x.mp4"), "1 hidden file(s) or folder(s): .x.mp4"),
    "phone pictures": (
        lambda r: touch(r, "1.HEIC", "2.heif"),
        "1 .heic (OpenCV cannot read HEIC: convert it to JPEG): 1.HEIC\n  1 .heif",
    ),
    "a camera's raw file": (lambda r: touch(r, "x.NEF"), "1 .nef (a camera's raw file: convert it to JPEG or PNG): x.NEF"),
    "archives": (
        lambda r: touch(r, "a.zip", "b.zip", "c.zip", "d.zip"),
        "4 .zip (an archive: unpack it): a.zip, b.zip, c.zip, … and 1 more",
    ),
    "an unfinished download": (lambda r: touch(r, "x.crdownload"), "1 .crdownload: x.crdownload"),
    "a file without suffix": (lambda r: touch(r, "README"), "1 without suffix: README"),
    "sound": (lambda r: touch(r, "x.wav"), "1 .wav (only sound): x.wav"),
    "a program in TypeScript": (lambda r: (r / "x.ts").write_text("G: number = 0;\n" * 100), "1 .ts: x.ts"),
    "a text in a picture's place": (lambda r: (r / "x.jpg.txt").write_text("gone"), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_what_is_not_read_is_named_in_one_line_per_kind(disk, caplog, kind):
    make, line = LEFT_OUT[kind]
    make(disk)
    with caplog.at_level(logging.INFO):
        assert list_media(disk) == [disk / "a.mp4"]
    [record] = caplog.records
    assert "1 video(s) and 0 picture(s) found; not read:\n" in record.getMessage()
    assert (line or "1 .txt: x.jpg.txt") in record.getMessage()
    # texts and tables lie beside media everywhere: nobody is warned of them alone
    assert record.levelno == (logging.WARNING if line else logging.INFO)


def test_a_folder_that_cannot_be_listed_is_named(disk, monkeypatch):
    scan = os.scandir

    def closed(folder):
        if Path(folder).name == "shut":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    touch(disk, "shut/b.mp4", "zzz/c.mp4")
    monkeypatch.setattr(os, "scandir", closed)
    listing = list_folder(disk)
    assert names(disk) == ["a.mp4", "zzz/c.mp4"]
    assert listing.left_out == {"folder(s) that cannot be listed (Permission denied)": ["shut"]}


@pytest.mark.parametrize("name", [b"M\xfcller.mp4", b"\xd6\xd0\xce\xc4/1.mp4", b"deep/\x8d\x96.mkv"])
def test_names_in_other_encodings_are_listed_and_named_readably(disk, name):
    (disk / os.fsdecode(name)).parent.mkdir(exist_ok=True)
    (disk / os.fsdecode(name)).touch()
    listing = list_folder(disk)
    assert len(listing.media) == 2
    [line] = [line for line in str(listing).splitlines() if "not UTF-8" in line]
    line.encode()
    assert readable(os.fsdecode(name)) in line


def test_readable():
    assert readable("é中.mp4") == "é中.mp4"
    assert readable(os.fsdecode(b"caf\xe9.mp4")) == "caf%E9.mp4"
    assert readable("from a list: \ud83d") == "from a list: %D83D"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp", ".jp2"])
@pytest.mark.parametrize("name", ["IMG_0001", "x.orig", "x.tmp"])
def test_pictures_of_strange_suffix_are_looked_into(disk, suffix, name):
    (disk / name).write_bytes(cv2.imencode(suffix, np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    assert list_folder(disk).pictures == (disk / name,)


def test_nothing_to_list_says_what_lies_there_instead(tmp_path):
    touch(tmp_path, "a.heic", "b.zip")
    with pytest.raises(DataNotFoundError, match=r"holds none.*\n.*\n? *1 \.heic \(OpenCV cannot read HEIC"):
        list_media(tmp_path)
    bad = tmp_path / os.fsdecode(b"r\xe9sum\xe9")
    bad.mkdir()
    with pytest.raises(DataNotFoundError, match=r"r%E9sum%E9: the name is not UTF-8 .*rename the folder"):
        list_media(bad)
