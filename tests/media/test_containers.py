"""Only real containers are opened as video, as plain files whatever their names, and nothing is ever connected to.

Kinds thought of: scripts that name other files (concat, HLS, DASH, SDP, M3U under the name of a video), files that refer to media
elsewhere (MOV data references), names that are protocols, options, patterns or not UTF-8; for reading and for writing.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from boxes import refer_to

from dfworkbench.core.errors import MediaError
from dfworkbench.media import VideoSource, VideoWriter
from dfworkbench.media.video.containers import CONTAINERS


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    with VideoWriter(path, 25, 64, 48, 20) as writer:
        for at in range(12):
            writer.write(np.full((48, 64, 3), 20 * at, np.uint8))
    return path


SCRIPTS = {
    "concat": "ffconcat version 1.0\nfile {name}\n",
    "concat of an address": "ffconcat version 1.0\nfile http://127.0.0.1:{port}/a.mp4\n",
    "concat of a whole path": "ffconcat version 1.0\nfile '{path}'\n",
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{name}\n#EXT-X-ENDLIST\n",
    "hls of an address": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "hls with a key": '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1:{port}/k"\n#EXTINF:1,\na.ts\n',
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">'
    "<Period>"
    '<AdaptationSet mimeType="video/mp4"><Representation id="0" bandwidth="1"><BaseURL>http://127.0.0.1:{port}/a.mp4</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "rtsp": "[Reference]\nRef1=rtsp://127.0.0.1:{port}/a\n",
    "m3u": "http://127.0.0.1:{port}/a.mp4\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:{port}/a.png"/></svg>',
    "metadata": ";FFMETADATA1\ntitle=a\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nhttp://127.0.0.1:{port}\n",
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "webm", "ts"])
@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_script_is_no_video(clip, listener, tmp_path, kind, suffix):
    port, made = listener
    beside = tmp_path / "a.mp4"
    beside.write_bytes(clip.read_bytes())
    path = tmp_path / f"x.{suffix}"
    path.write_text(SCRIPTS[kind].format(name=beside.name, path=beside, port=port))
    with pytest.raises(MediaError, match="FFmpeg cannot read") as caught:
        VideoSource(path)
    assert caught.value.status == "unreadable"
    assert not made


def test_demuxers_that_read_other_files_are_not_among_those_allowed():
    assert not {
        "concat",
        "concatf",
        "hls",
        "dash",
        "sdp",
        "rtsp",
        "rtp",
        "image2",
        "imf",
        "lavfi",
        "tee",
        "webm_dash_manifest",
    } & {*CONTAINERS}


@pytest.mark.parametrize("target", ["/{path}", "{path}", "http://127.0.0.1:{port}/a.mp4"])
def test_a_film_whose_media_lie_in_another_file_is_not_followed_there(clip, listener, tmp_path, target):
    port, made = listener
    path = tmp_path / "referring.mov"
    path.write_bytes(clip.read_bytes())
    other = tmp_path / "media.mp4"
    other.write_bytes(clip.read_bytes())
    refer_to(path, target.format(path=other, port=port))
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat")  # its own media are wiped: frames could only come from elsewhere
    size = int.from_bytes(data[at - 4 : at])
    data[at + 4 : at - 4 + size] = bytes(size - 8)
    path.write_bytes(data)
    with pytest.raises(MediaError):
        list(VideoSource(path).iterate())
    assert not made


NAMES = [
    "12:30.mp4", "concat:a|b.mp4", "file:x.mp4", "http:/127.0.0.1:{port}/x.mp4", "tcp:/127.0.0.1:{port}/x.mp4", "pipe:0.mp4",
    "subfile,,start,0,end,0,,:x.mp4", "data:text,x.mp4", "-i.mp4", "clip%03d.mp4", "a b#?&*[1].mp4", "crypto:x.mkv", "über.mp4",
    "cache:x.avi", os.fsdecode(b"caf\xe9.mp4"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_a_file_whatever_its_name(clip, listener, tmp_path, monkeypatch, name):
    port, made = listener
    monkeypatch.chdir(tmp_path)
    path = Path(name.format(port=port))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(clip.read_bytes())
    frames = [frame.rgb for frame in VideoSource(path).iterate()]
    assert len(frames) == 12
    with VideoWriter(path, 25, 64, 48, 20) as writer:  # and is written where its name says
        for rgb in frames[:3]:
            writer.write(rgb)
    assert VideoSource(path).frames_expected == 3
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [tmp_path / path]
    assert not made


@pytest.mark.parametrize(
    "name", ["http://127.0.0.1:{port}/a.mp4", "tcp://127.0.0.1:{port}", "concat:{path}", "file:{path}"]
)
def test_an_address_is_a_file_that_is_not_there(clip, listener, tmp_path, name):
    port, made = listener
    with pytest.raises(MediaError) as caught:
        VideoSource(name.format(port=port, path=clip))
    assert caught.value.status == "missing"
    assert not made
