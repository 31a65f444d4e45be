"""Container, streams and metadata of videos and pictures: what is recorded, what is withheld, and files that cannot be read."""

import hashlib
import io
import os
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dfworkbench.media import VideoWriter
from dfworkbench.media.container import container_facts
from dfworkbench.media.foreign_text import clean_metadata, one_line

FRAMES = 12


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    noise = np.random.default_rng(0)
    with VideoWriter(path, 25, 64, 48, 20) as writer:
        for _ in range(FRAMES):
            writer.write(noise.integers(0, 255, (48, 64, 3)).astype(np.uint8))
    return path


def remux(source: Path, target: Path, metadata: dict[str, str]) -> Path:
    """The same packets in another container, with other metadata."""
    options = {"movflags": "use_metadata_tags"} if target.suffix == ".mp4" else {}
    with av.open(str(source)) as read, av.open(str(target), "w", options=options) as written:
        written.metadata.update(metadata)
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = stream
                written.mux(packet)
    return target


def test_video(clip):
    facts = container_facts(clip)
    assert (facts["kind"], facts["status"], facts["reason"]) == ("video", "ok", "")
    assert facts["format"].startswith("mov,mp4")
    assert facts["duration_s"] == pytest.approx(FRAMES / 25)
    assert facts["packets_complete"]
    (stream,) = facts["streams"]
    expected = {
        "index": 0, "type": "video", "codec": "h264", "codec_tag": "avc1", "width": 64, "height": 48, "pix_fmt": "yuv420p",
        "frames": FRAMES, "average_rate": "25/1", "packets": FRAMES,
    }  # fmt: skip
    assert expected.items() <= stream.items()
    assert stream["key_frames"] == {"count": 1, "first_positions": [0], "spacing": None}


def test_packets_are_hashed_in_the_order_of_the_file(clip):
    with av.open(str(clip)) as opened:
        content = b"".join(bytes(packet) for packet in opened.demux(video=0))
    (stream,) = container_facts(clip)["streams"]
    assert stream["packets_sha256"] == hashlib.sha256(content).hexdigest()
    assert stream["packet_bytes"] == len(content)


def test_same_packets_with_other_metadata_are_known_by_their_hash(clip, tmp_path):
    other = remux(clip, tmp_path / "b.mp4", {"title": "another"})
    assert other.read_bytes() != clip.read_bytes()
    facts = container_facts(other)
    assert facts["metadata"]["title"] == "another"
    assert facts["streams"][0]["packets_sha256"] == container_facts(clip)["streams"][0]["packets_sha256"]


def test_sound_is_hashed_for_itself(clip, tmp_path):
    path = tmp_path / "sound.mkv"
    with av.open(str(clip)) as read, av.open(str(path), "w") as written:
        sound = written.add_stream("pcm_s16le", rate=8000, layout="mono")
        film = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = film
                written.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.arange(800, dtype=np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        written.mux([*sound.encode(frame), *sound.encode(None)])
    heard, seen = container_facts(path)["streams"]
    assert (heard["type"], heard["codec"], heard["sample_rate"], heard["channels"]) == ("audio", "pcm_s16le", 8000, 1)
    assert heard["packets_sha256"] == hashlib.sha256(np.arange(800, dtype="<i2").tobytes()).hexdigest()
    assert "key_frames" not in heard
    assert seen["packets_sha256"] == container_facts(clip)["streams"][0]["packets_sha256"]


@pytest.mark.parametrize("suffix", [".ts", ".mov", ".flv"])
def test_other_containers(clip, tmp_path, suffix):
    facts = container_facts(remux(clip, tmp_path / f"a{suffix}", {}))
    assert facts["status"] == "ok"
    assert facts["streams"][0]["packets"] == FRAMES
    assert facts["streams"][0]["codec"] == "h264"


def test_metadata_of_strangers_cannot_move_a_cursor_or_fill_a_page(clip, tmp_path):
    hostile = {"title": "a\x1b[2J\nb\u202e<script>", "comment": "x" * 5000}
    metadata = container_facts(remux(clip, tmp_path / "b.mkv", hostile))["metadata"]
    texts = {name.lower(): text for name, text in metadata.items()}
    assert texts["title"] == "a\\x1b[2J\\x0ab\\u202e<script>"
    assert texts["comment"].startswith("x" * 2000 + " …")
    assert "5,000" in texts["comment"]
    assert len(texts["comment"]) < 2050


def test_positions_and_serial_numbers_are_withheld(clip, tmp_path):
    private = {
        "com.apple.quicktime.location.ISO6709": "+48.8577+002.295/",
        "comment": "+48.8577+002.295/",
        "serial": "123",
    }
    path = remux(clip, tmp_path / "b.mp4", private | {"title": "kept"})
    facts = container_facts(path)
    assert facts["metadata"]["title"] == "kept"
    assert "48.8577" not in str(facts)
    assert set(private) <= set(facts["withheld"])
    shown = container_facts(path, private=True)
    assert private.items() <= shown["metadata"].items()
    assert not shown["withheld"]


def jpeg_with_exif(path: Path) -> Path:
    exif = Image.Exif()
    exif[0x0110] = "Camera\x07 1"
    exif.get_ifd(0x8769).update({0x829A: (1, 60), 0xA431: "S-12345", 0x927C: b"\x01\x02" * 50})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0)})
    Image.new("RGB", (48, 32), "grey").save(path, "JPEG", quality=50, exif=exif, comment=b"by hand")
    return path


def test_picture(tmp_path):
    facts = container_facts(jpeg_with_exif(tmp_path / "a.jpg"))
    assert (facts["kind"], facts["status"]) == ("image", "ok")
    assert (facts["format"], facts["mode"], facts["width"], facts["height"]) == ("JPEG", "RGB", 48, 32)
    assert facts["exif"]["Model"] == "Camera\\x07 1"
    assert facts["exif"]["MakerNote"] == "100 bytes"
    assert facts["metadata"]["comment"] == "by hand"
    assert (
        facts["quantisation_tables"][0][0] == 16
    )  # of the standard's table (T.81, K.1), which quality 50 leaves as it is
    assert [len(table) for table in facts["quantisation_tables"]] == [64, 64]
    assert {"BodySerialNumber", "GPS GPSLatitude"} <= set(facts["withheld"])
    assert "S-12345" not in str(facts)


def test_private_entries_of_a_picture_are_shown_on_request(tmp_path):
    facts = container_facts(jpeg_with_exif(tmp_path / "a.jpg"), private=True)
    assert facts["exif"]["BodySerialNumber"] == "S-12345"
    assert facts["exif"]["GPS GPSLatitude"] == "48.0, 51.0, 30.0"
    assert not facts["withheld"]


def test_texts_and_colour_profile_of_a_png(tmp_path):
    from PIL import ImageCms

    texts = PngInfo()
    texts.add_text("parameters", "a face, steps: 20")
    texts.add_text("Raw profile type exif", "0a0b0c")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=texts, icc_profile=profile)
    facts = container_facts(tmp_path / "a.png")
    assert facts["metadata"]["parameters"] == "a face, steps: 20"
    assert "sRGB" in facts["icc_profile"]
    assert facts["withheld"] == ["Raw profile type exif"]


def test_text_behind_the_pixels_is_found(tmp_path):
    texts = PngInfo()
    texts.add_text("Software", "late", zip=False)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=texts)
    data = (tmp_path / "a.png").read_bytes()
    at = data.index(b"tEXt") - 4
    chunk = data[at : at + 12 + int.from_bytes(data[at : at + 4])]
    end = data.index(b"IEND") - 4
    (tmp_path / "b.png").write_bytes(data[:at] + data[at + len(chunk) : end] + chunk + data[end:])
    assert container_facts(tmp_path / "b.png")["metadata"]["Software"] == "late"


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("empty.mp4", b"", "unreadable"),
        ("text.mp4", b"no video at all\n" * 50, "unreadable"),
        ("empty.jpg", b"", "unreadable"),
        ("text.jpg", b"no picture at all\n" * 50, "unreadable"),
        ("notes.txt", b"no medium", "unreadable"),
        ("sound.mp3", b"ID3" + bytes(100), "unreadable"),
    ],
)
def test_files_that_are_no_media_have_a_status_and_a_reason(tmp_path, name, content, status):
    (tmp_path / name).write_bytes(content)
    facts = container_facts(tmp_path / name)
    assert facts["status"] == status
    assert name in facts["reason"]
    assert str(tmp_path) not in facts["reason"]


def test_cut_files(clip, tmp_path):
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes()[:5000])  # the index stands last
    assert container_facts(tmp_path / "a.mp4")["status"] == "truncated"
    picture = jpeg_with_exif(tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(picture[:-40])
    assert container_facts(tmp_path / "b.jpg")["status"] == "truncated"


def test_video_that_ends_within_its_packets(clip, tmp_path):
    whole = remux(clip, tmp_path / "a.mkv", {})
    (tmp_path / "b.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    facts = container_facts(tmp_path / "b.mkv")
    assert facts["status"] == "ok"  # what is there can be read; how much is missing, the reader of frames says
    assert facts["streams"][0]["packets"] < FRAMES


def test_missing_files_and_what_is_no_file(tmp_path):
    assert container_facts(tmp_path / "none.mp4")["status"] == "missing"
    facts = container_facts(tmp_path)
    assert facts["status"] == "unreadable"
    assert "folder" in facts["reason"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    seen: list[dict] = []
    reader = threading.Thread(target=lambda: seen.append(container_facts(tmp_path / "a.mp4")), daemon=True)
    reader.start()
    reader.join(timeout=60)  # opening a pipe that nobody writes to would wait for ever
    assert [facts["status"] for facts in seen] == ["unreadable"]


def test_links_are_followed(clip, tmp_path):
    (tmp_path / "b.mp4").symlink_to(clip)
    assert container_facts(tmp_path / "b.mp4")["streams"] == container_facts(clip)["streams"]


def test_header_that_claims_a_huge_picture_is_refused_before_decoding(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    png = bytearray(buffer.getvalue())
    png[16:24] = (50_000).to_bytes(4) * 2
    (tmp_path / "a.png").write_bytes(png)
    facts = container_facts(tmp_path / "a.png")
    assert facts["status"] == "unreadable"
    assert "50000" in facts["reason"].replace(",", "")


def test_thousands_of_entries_are_cut():
    shown, withheld = clean_metadata({f"k{n}": n for n in range(2000)}, private=False)
    assert len(shown) == 501
    assert "1,500" in shown["…"]
    assert not withheld


def test_one_line_spells_out_every_control_character():
    assert one_line("\x00\x7f\x85\r\n\t\u2066") == r"\x00\x7f\x85\x0d\x0a\x09\u2066"
