"""Content credentials: what is read of a signed picture, what a change does, and that nothing is ever connected to."""

import builtins
import json
import os
import socket
import threading
from pathlib import Path

import pytest
from c2pa_signing import SOURCE_TYPE, signed_jpeg
from PIL import Image

from dfworkbench.media.content_credentials import content_credentials

c2pa = pytest.importorskip("c2pa", reason="content credentials need the extra 'evidence'")


@pytest.fixture(scope="module")
def signed(tmp_path_factory) -> Path:
    exif = {
        "@context": {"exif": "http://ns.adobe.com/exif/1.0/"},
        "exif:GPSLatitude": "48,51.5N",
        "exif:Make": "Camera",
    }
    return signed_jpeg(tmp_path_factory.mktemp("c2pa") / "signed.jpg", assertions={"stds.exif": exif})


def refuse(*args, **kwargs):
    raise AssertionError("a connection was asked for")


def test_signed_picture(signed):
    found = content_credentials(signed)
    assert (found.status, found.state) == ("valid", "Valid")
    assert "has not changed since it was signed" in found.sentence
    assert "who signed is not established" in found.sentence
    assert (found.title, found.generator) == ("grey", "test program 1")
    assert (found.issuer, found.signer) == ("Test house", "Signer")
    assert found.actions == (
        {"action": "c2pa.created", "source_type": "trainedAlgorithmicMedia", "when": "", "software": "painter 2"},
    )
    assert "claimSignature.validated" in found.codes["success"]
    assert found.codes["failure"] == ["signingCredential.untrusted"]
    assert "c2pa-python" in found.library


def test_whole_manifest_is_kept_without_positions(signed):
    found = content_credentials(signed)
    assert "48,51.5N" not in json.dumps(found.manifest)
    assert found.withheld == ("exif:GPSLatitude",)
    assert "Camera" in json.dumps(found.manifest)
    assert "cert_serial_number" in json.dumps(found.manifest)
    assert "48,51.5N" in json.dumps(content_credentials(signed, private=True).manifest)
    assert "manifest" not in found.to_dict()
    json.dumps(found.to_dict())


def test_one_changed_byte_of_the_picture_makes_it_invalid(signed, tmp_path):
    data = bytearray(signed.read_bytes())
    data[-60] ^= 1
    (tmp_path / "changed.jpg").write_bytes(data)
    found = content_credentials(tmp_path / "changed.jpg")
    assert (found.status, found.state) == ("invalid", "Invalid")
    assert "assertion.dataHash.mismatch" in found.codes["failure"]


def test_damaged_manifest_is_never_valid(signed, tmp_path):
    data = signed.read_bytes()
    start = data.index(b"jumb")
    for at in range(start, start + 3000, 301):
        (tmp_path / "changed.jpg").write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
        found = content_credentials(tmp_path / "changed.jpg")
        assert found.status in ("invalid", "unreadable"), at
        assert found.status == "unreadable" or found.state == "Invalid"


def test_no_manifest_is_no_finding(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.jpg")
    found = content_credentials(tmp_path / "plain.jpg")
    assert (found.status, found.state, found.manifest) == ("none", None, None)
    assert "not a finding" in found.sentence


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [("text.jpg", b"no picture", "unsupported"), ("empty.mp4", b"", "unreadable"), ("cut.jpg", None, "unreadable")],
)
def test_files_that_cannot_be_read(signed, tmp_path, name, content, status):
    (tmp_path / name).write_bytes(signed.read_bytes()[:3000] if content is None else content)
    found = content_credentials(tmp_path / name)
    assert found.status == status
    assert found.reason
    assert found.state is None
    assert content_credentials(tmp_path / "missing.jpg").status == "unreadable"


def test_a_manifest_elsewhere_is_not_fetched(tmp_path, listener, monkeypatch):
    """The library connects by itself and not through Python, so a listening port tells as well as Python's sockets."""
    port, made = listener
    address = f"http://127.0.0.1:{port}/manifest.c2pa"
    path = signed_jpeg(tmp_path / "remote.jpg", address=address)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    found = content_credentials(path)
    assert not made
    assert (found.status, found.address, found.state) == ("remote", address, None)
    assert "was not fetched" in found.sentence
    monkeypatch.undo()
    with pytest.raises(c2pa.C2paError):  # that the test can fail: with the library's own settings it does connect
        c2pa.Reader.try_create(path)
    assert made


def test_texts_of_strangers_are_cleaned(tmp_path):
    action = {"actions": [{"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": "a\x1b[2J\n"}]}
    path = signed_jpeg(tmp_path / "a.jpg", assertions={"c2pa.actions": action})
    assert content_credentials(path).actions[0]["software"] == "a\\x1b[2J\\x0a"


def test_without_the_package_it_says_how_to_install_it(signed, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "c2pa":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    found = content_credentials(signed)
    assert found.status == "not looked for"
    assert "pip install" in found.sentence


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.append(content_credentials(tmp_path / "a.jpg").status), daemon=True)
    reader.start()
    reader.join(timeout=60)
    assert seen == ["unreadable"]


@pytest.mark.skipif(os.name == "nt", reason="names are texts there")
def test_names_that_are_no_utf8(signed, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    path.write_bytes(signed.read_bytes())
    assert content_credentials(path).status == "valid"
