"""Downloads from a server on the loopback address, well and badly behaved."""

import errno
import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from weight_server import serving

from dfworkbench.core.errors import DataNotFoundError, DownloadError, OutputError, ParameterError
from dfworkbench.core.workspace import HOME_VARIABLE
from dfworkbench.zoo.addresses import fetch_address, require_safe
from dfworkbench.zoo.cache import find_cached, size_of, size_text, target_path
from dfworkbench.zoo.card import Card, CardFile
from dfworkbench.zoo.fetching import get
from dfworkbench.zoo.part_file import PartFile
from dfworkbench.zoo.transfer import Patience

BYTES = np.random.RandomState(0).bytes(300_000)
SHA256 = hashlib.sha256(BYTES).hexdigest()
WAITS: list[float] = []
QUICK = Patience(silence_s=5, sleep=WAITS.append)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("DFWORKBENCH_WEIGHTS", "DFWORKBENCH_MIRROR", "DFWORKBENCH_OFFLINE", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user_cache"))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    WAITS.clear()
    return tmp_path / "home"


@pytest.fixture
def server():
    with serving() as state:
        state.files["/w.bin"] = BYTES
        yield state


def card_of(url: str, *, accept: str = "", **file) -> Card:
    known = {"bytes": len(BYTES), "sha256": SHA256, "says": "the authors"} | file
    return Card(
        name="toy", title="Toy detector (2026)", paper="https://example.org", code="https://example.org", licence_code="MIT",
        licence_weights="MIT", accept=accept, trained_on="nothing", files=(CardFile(name="w.bin", url=url, **known),), rank=1,
    )  # fmt: skip


def fetched(card: Card, **options) -> Path:
    return get(card, progress=False, patience=QUICK, **options)


def left_beside(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_comes_whole_and_leaves_a_record(server, home):
    card = card_of(f"{server.url}/w.bin")
    path = fetched(card)
    assert path == home / "weights" / "toy" / "w.bin"
    assert path.read_bytes() == BYTES
    assert left_beside(path) == ["w.bin", "w.bin.record.json"]
    record = json.loads((path.parent / "w.bin.record.json").read_text())
    assert (record["sha256"], record["bytes"], record["address"]) == (SHA256, len(BYTES), f"{server.url}/w.bin")
    assert fetched(card) == path
    assert len(server.asked) == 1


def test_the_weights_folder_can_be_elsewhere(server, tmp_path, monkeypatch):
    monkeypatch.setenv("DFWORKBENCH_WEIGHTS", str(tmp_path / "big disk"))
    assert fetched(card_of(f"{server.url}/w.bin")) == tmp_path / "big disk" / "toy" / "w.bin"


def test_a_broken_connection_continues_where_it_broke(server, caplog):
    server.cut_after["/w.bin"] = [100_000, 50_000]
    assert fetched(card_of(f"{server.url}/w.bin")).read_bytes() == BYTES
    assert server.ranges_asked == ["", "bytes=100000-", "bytes=150000-"]
    assert server.asked[1][1]["if-range"] == server.asked[2][1]["if-range"]
    assert "trying again in 1 s" in caplog.text


def test_an_unsteady_connection_may_break_more_often_than_there_are_tries(server):
    server.cut_after["/w.bin"] = [20_000] * 12
    assert fetched(card_of(f"{server.url}/w.bin")).read_bytes() == BYTES


def test_five_tries_with_growing_waits_and_what_came_is_kept(server):
    server.cut_after["/w.bin"] = [100_000] + [0] * 5
    card = card_of(f"{server.url}/w.bin")
    with pytest.raises(DownloadError, match="5 tries") as error:
        fetched(card)
    assert WAITS == [1, 2, 4, 8]
    target = target_path(card, card.file())
    for part in ("100,000 bytes are kept", server.url, SHA256, "300 kB", str(target), "zoo import toy FILE"):
        assert part in str(error.value)
    assert target.with_name("w.bin.part").stat().st_size == 100_000
    assert fetched(card).read_bytes() == BYTES
    assert server.ranges_asked[-1] == "bytes=100000-"


def test_a_changed_file_is_begun_anew(server):
    old, card = b"x" * 200_000, card_of(f"{server.url}/w.bin")
    server.files["/w.bin"] = old
    server.cut_after["/w.bin"] = [100_000] + [0] * 4
    with pytest.raises(DownloadError):
        fetched(card_of(f"{server.url}/w.bin", bytes=None))
    server.files["/w.bin"] = BYTES
    server.cut_after.clear()
    assert fetched(card).read_bytes() == BYTES  # If-Range did not fit: 200, from zero


def test_a_server_that_heeds_no_if_range_does_not_mix_two_versions(server):
    card = card_of(f"{server.url}/w.bin", sha256=None)
    server.files["/w.bin"] = b"x" * len(BYTES)
    server.cut_after["/w.bin"] = [100_000] + [0] * 4
    with pytest.raises(DownloadError):
        fetched(card)
    server.files["/w.bin"], server.heeds_if_range = BYTES, False
    assert fetched(card).read_bytes() == BYTES
    assert server.ranges_asked[-2:] == ["bytes=100000-", ""]


def test_a_part_that_is_a_link_is_not_written_through(server, home, tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    folder = home / "weights" / "toy"
    folder.mkdir(parents=True)
    (folder / "w.bin.part").symlink_to(precious)
    assert fetched(card_of(f"{server.url}/w.bin")).read_bytes() == BYTES
    assert precious.read_bytes() == b"mine"


def test_a_server_without_ranges_begins_anew(server):
    server.ranges = False
    server.cut_after["/w.bin"] = [100_000]
    assert fetched(card_of(f"{server.url}/w.bin")).read_bytes() == BYTES
    assert server.ranges_asked == ["", "bytes=100000-"]


def test_without_a_mark_only_a_known_hash_allows_to_continue(server):
    server.etags = False
    server.cut_after["/w.bin"] = [100_000]
    assert fetched(card_of(f"{server.url}/w.bin")).read_bytes() == BYTES
    assert server.ranges_asked == ["", "bytes=100000-"]
    assert "if-range" not in server.asked[1][1]


def test_what_a_killed_download_left_without_mark_and_hash_is_not_continued(server):
    server.etags = False
    server.cut_after["/w.bin"] = [100_000] + [0] * 4
    card = card_of(f"{server.url}/w.bin", sha256=None)
    with pytest.raises(DownloadError):
        fetched(card)
    assert fetched(card).read_bytes() == BYTES
    assert server.ranges_asked[-1] == ""


def test_a_wrong_hash_deletes_what_came_and_names_both(server):
    server.files["/w.bin"] = wrong = BYTES[:-1] + b"?"
    card = card_of(f"{server.url}/w.bin")
    with pytest.raises(DownloadError) as error:
        fetched(card)
    for part in (SHA256, hashlib.sha256(wrong).hexdigest(), "was deleted"):
        assert part in str(error.value)
    assert not target_path(card, card.file()).exists()
    assert not [name for name in left_beside(target_path(card, card.file())) if "part" in name or "record" in name]


def test_a_wrong_file_in_the_cache_is_named_and_left(server):
    card = card_of(f"{server.url}/w.bin")
    target = target_path(card, card.file())
    target.parent.mkdir(parents=True)
    target.write_bytes(b"other")
    with pytest.raises(DownloadError, match=SHA256):
        fetched(card)
    assert target.read_bytes() == b"other"
    assert not server.asked


def test_another_size_is_refused_before_it_is_fetched(server):
    card = card_of(f"{server.url}/w.bin", bytes=299_999)
    with pytest.raises(DownloadError, match="offers 300,000 bytes; expected 299,999"):
        fetched(card)
    assert not target_path(card, card.file()).exists()


def test_a_length_that_is_not_stated(server):
    server.lengths = False
    assert fetched(card_of(f"{server.url}/w.bin", bytes=None)).read_bytes() == BYTES
    shutil.rmtree(target_path(card_of(""), card_of("").file()).parent)
    server.cut_after["/w.bin"] = [100_000]
    assert fetched(card_of(f"{server.url}/w.bin")).read_bytes() == BYTES  # the card's size tells that it broke
    assert server.ranges_asked[-1] == "bytes=100000-"


def test_range_not_satisfiable_with_all_bytes_there(server):
    """A size that nobody states, and a kill between the last byte and the new name."""
    card = card_of(f"{server.url}/w.bin", bytes=None)
    part = left_part(card, BYTES, server)
    assert fetched(card).read_bytes() == BYTES
    assert server.ranges_asked == ["bytes=300000-"]
    assert not part.exists()


def test_range_not_satisfiable_with_too_many_bytes_begins_anew(server):
    card = card_of(f"{server.url}/w.bin", bytes=None)
    left_part(card, BYTES + b"more", server)
    assert fetched(card).read_bytes() == BYTES
    assert server.ranges_asked == ["bytes=300004-", ""]


def test_a_part_with_all_bytes_needs_no_connection(server):
    card = card_of(f"{server.url}/w.bin")
    left_part(card, BYTES, server)
    assert fetched(card).read_bytes() == BYTES
    assert not server.asked


def left_part(card: Card, content: bytes, server) -> Path:
    """A part as a killed download leaves it."""
    target = target_path(card, card.file())
    target.parent.mkdir(parents=True)
    part = PartFile(target, card.file().url, unmarked=True)
    part.mark({"ETag": f'"{hashlib.md5(server.files["/w.bin"]).hexdigest()}"'})
    with part.writing():
        part.append(content)
    return part.path


def test_a_weak_tag_does_not_continue_a_file(tmp_path):
    part = PartFile(tmp_path / "w.bin", "https://example.org/w.bin", unmarked=False)
    part.mark(httpx.Headers({"etag": 'W/"1"', "last-modified": "Sat, 28 Nov 2026 10:00:00 GMT"}))
    assert part.validator == "Sat, 28 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize("status", [503, 429])
def test_a_busy_server_is_asked_again(server, status):
    server.statuses["/w.bin"] = [status]
    assert fetched(card_of(f"{server.url}/w.bin")).read_bytes() == BYTES
    assert WAITS == [1]


@pytest.mark.parametrize(("status", "advice"), [(404, "no longer there"), (401, "HF_TOKEN"), (403, "HF_TOKEN")])
def test_a_refusal_is_not_asked_again(server, status, advice):
    server.statuses["/w.bin"] = [status]
    with pytest.raises(DownloadError, match=advice) as error:
        fetched(card_of(f"{server.url}/w.bin"))
    assert str(status) in str(error.value)
    assert WAITS == []


def test_a_web_page_is_no_weight_file(server):
    server.headers["/w.bin"] = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(DownloadError, match="web page"):
        fetched(card_of(f"{server.url}/w.bin", sha256=None, bytes=None))


def test_a_web_page_in_between_costs_nothing(server):
    """A hotel's login page is no reason to give up a gigabyte."""
    card = card_of(f"{server.url}/w.bin", bytes=None)
    part = left_part(card, BYTES[:200_000], server)
    server.ranges, server.headers["/w.bin"] = False, {"Content-Type": "text/html"}
    with pytest.raises(DownloadError, match="web page"):
        fetched(card)
    assert part.stat().st_size == 200_000
    server.ranges = True
    server.headers.clear()
    assert fetched(card).read_bytes() == BYTES
    assert server.ranges_asked[-1] == "bytes=200000-"


def test_another_mirror_continues_where_the_hash_is_known(server, monkeypatch):
    server.cut_after["/w.bin"] = [100_000] + [0] * 4
    with pytest.raises(DownloadError):
        fetched(card_of(f"{server.url}/w.bin"))
    with serving() as other:
        other.files["/copy.bin"] = BYTES
        assert fetched(card_of(f"{other.url}/copy.bin")).read_bytes() == BYTES
        assert other.ranges_asked == ["bytes=100000-"]
        assert "if-range" not in other.asked[0][1]


def test_half_a_file_must_not_look_whole(server):
    server.lengths = False
    with pytest.raises(DownloadError, match="does not say how long"):
        fetched(card_of(f"{server.url}/w.bin", bytes=None, sha256=None))


@pytest.mark.parametrize("stated", [True, False])
def test_endless_answers_end(server, monkeypatch, stated):
    monkeypatch.setattr("dfworkbench.zoo.transfer.MOST_BYTES", 100_000)
    server.lengths = stated
    with pytest.raises(DownloadError, match=r"100,000 bytes|at most 100,000"):
        fetched(card_of(f"{server.url}/w.bin", bytes=None))


def test_nobody_answers():
    with serving() as gone:
        pass
    with pytest.raises(DownloadError, match="5 tries") as error:
        fetched(card_of(f"{gone.url}/w.bin"))
    assert "refused" in str(error.value)


def test_a_silent_server_is_a_failed_try(server):
    server.pause_s = 1
    patience = Patience(silence_s=0.2, waits_s=(), sleep=WAITS.append)
    with pytest.raises(DownloadError, match="no answer in time"):
        get(card_of(f"{server.url}/w.bin"), progress=False, patience=patience)


def test_the_first_hash_is_trusted_and_another_one_refused(server):
    card = card_of(f"{server.url}/w.bin", sha256=None, bytes=None)
    path = fetched(card)
    path.unlink()
    assert fetched(card) == path
    path.unlink()
    server.files["/w.bin"] = other = b"another file"
    with pytest.raises(DownloadError) as error:
        fetched(card)
    for part in (SHA256, hashlib.sha256(other).hexdigest(), "w.bin.record.json"):
        assert part in str(error.value)
    assert left_beside(path) == ["w.bin.record.json"]


def test_a_file_put_there_by_hand_is_recorded(home):
    card = card_of("https://example.org/page", sha256=None, bytes=None, by_hand=True)
    with pytest.raises(DataNotFoundError) as error:
        fetched(card)
    target = home / "weights" / "toy" / "w.bin"
    assert str(target) in str(error.value)
    assert "https://example.org/page" in str(error.value)
    target.parent.mkdir(parents=True)
    target.write_bytes(BYTES)
    assert fetched(card) == target
    target.write_bytes(b"other")
    for use in (fetched, lambda card: find_cached(card, card.file())):
        with pytest.raises(DownloadError, match=SHA256):
            use(card)


def test_a_shared_folder_need_not_be_written_for_a_file_with_a_known_hash(home):
    target = home / "weights" / "toy" / "w.bin"
    target.parent.mkdir(parents=True)
    target.write_bytes(BYTES)
    assert fetched(card_of("https://example.org/w.bin")) == target
    assert left_beside(target) == ["w.bin"]


def test_terms_are_accepted_once(server):
    card = card_of(f"{server.url}/w.bin", accept="Only for research.")
    with pytest.raises(ParameterError, match=r"Only for research\..*--accept-licence toy"):
        fetched(card)
    assert not server.asked
    path = fetched(card, accept=True)
    record = json.loads((path.parent / "licence.json").read_text())
    assert record["accepted"] == "Only for research."
    assert record["date"] == time.strftime("%Y-%m-%d", time.gmtime())
    assert fetched(card) == path
    with pytest.raises(ParameterError, match="Not at all"):
        fetched(card.model_copy(update={"accept": "Not at all."}))


@pytest.mark.parametrize("switch", ["DFWORKBENCH_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_opens_no_connection(server, monkeypatch, switch):
    monkeypatch.setenv(switch, "1")
    card = card_of(f"{server.url}/w.bin")
    with pytest.raises(DownloadError, match=f"{switch}=1") as error:
        fetched(card)
    for part in (f"{server.url}/w.bin", "300 kB", SHA256, str(target_path(card, card.file()))):
        assert part in str(error.value)
    assert not server.asked
    monkeypatch.setenv(switch, "0")
    assert fetched(card).is_file()


def test_a_redirect_is_followed_and_never_gets_the_token(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.redirects["/org/model/resolve/1234/w.bin"] = f"{server.url}/w.bin"
        hub.headers["/org/model/resolve/1234/w.bin"] = {"X-Repo-Commit": "1234", "X-Linked-Etag": f'"{SHA256}"'}
        path = fetched(card_of("https://huggingface.co/org/model/resolve/1234/w.bin", sha256=None))
        assert hub.asked[0][1]["authorization"] == "Bearer hf_secret"
    assert "authorization" not in server.asked[0][1]
    assert json.loads((path.parent / "w.bin.record.json").read_text())["revision"] == "1234"
    assert "hf_secret" not in "".join(file.read_text() for file in path.parent.glob("*.json"))


def test_other_hosts_never_get_the_token(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetched(card_of(f"{server.url}/w.bin"))
    assert "authorization" not in server.asked[0][1]


@pytest.mark.parametrize(
    ("linked", "message"),
    [({"X-Linked-Etag": f'"{"0" * 64}"'}, "announces"), ({"X-Linked-Size": "5"}, "offers 5 bytes")],
)
def test_what_the_hub_announces_is_compared_with_the_card(server, linked, message):
    server.redirects["/hub"], server.headers["/hub"] = "/w.bin", linked
    card = card_of(f"{server.url}/hub")
    with pytest.raises(DownloadError, match=message):
        fetched(card)
    assert not target_path(card, card.file()).exists()


def test_what_the_hub_announces_does_not_take_the_place_of_the_card(server):
    server.files["/w.bin"] = BYTES[::-1]
    server.redirects["/hub"], server.headers["/hub"] = "/w.bin", {"X-Linked-Etag": f'"{SHA256}"'}
    with pytest.raises(DownloadError, match="was deleted"):
        fetched(card_of(f"{server.url}/hub"))


def test_redirects_end(server):
    server.redirects["/w.bin"] = "/w.bin"
    with pytest.raises(DownloadError, match="10 redirects"):
        fetched(card_of(f"{server.url}/w.bin"))


@pytest.mark.parametrize(
    ("address", "before"),
    [
        ("http://example.org/w.bin", ""),
        ("ftp://example.org/w.bin", ""),
        ("file:///etc/passwd", ""),
        ("http://127.0.0.1/w.bin", "https://example.org/w.bin"),
        ("http://example.org/w.bin", "http://127.0.0.1/w.bin"),
        ("/w.bin", ""),
    ],
)
def test_addresses_that_are_not_https_are_refused(address, before):
    with pytest.raises(DownloadError, match="expected https"):
        require_safe(address, before)


def test_a_redirect_to_plain_http_is_refused(server):
    server.redirects["/w.bin"] = "http://example.org/w.bin"
    with pytest.raises(DownloadError, match="expected https"):
        fetched(card_of(f"{server.url}/w.bin"))


def test_a_mirror_serves_all_hosts(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("DFWORKBENCH_MIRROR", f"{server.url}/zoo/")
    server.files["/zoo/huggingface.co/org/model/resolve/main/a%2B%2B/w.bin"] = BYTES
    fetched(card_of("https://huggingface.co/org/model/resolve/main/a%2B%2B/w.bin"))
    assert "authorization" not in server.asked[0][1]
    monkeypatch.setenv("DFWORKBENCH_MIRROR", "http://mirror.example")
    with pytest.raises(DownloadError, match="expected https"):
        get(card_of("https://example.org/other.bin").model_copy(update={"name": "other"}))


def test_without_mirror_and_endpoint_addresses_stay():
    for url in ("https://huggingface.co/a/b", "https://huggingface.company/a"):
        assert fetch_address(url) == url


def test_proxies_of_the_environment_are_used(monkeypatch):
    with serving() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(DownloadError, match="403"):
            fetched(card_of("https://weights.example/w.bin"))
        assert proxy.asked[0][0] == "weights.example:443"


def test_a_proxy_is_not_asked_for_this_machine(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert fetched(card_of(f"{server.url}/w.bin")).is_file()


def test_a_proxy_that_cannot_be_used(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://proxy")
    with pytest.raises(DownloadError, match="HTTPS_PROXY"):
        fetched(card_of("https://weights.example/w.bin"))


def test_certificates_of_the_environment_are_trusted(tmp_path, monkeypatch):
    certificate = own_certificate(tmp_path / "own.pem")
    with serving(certificate) as server:
        server.files["/w.bin"] = BYTES
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)
        with pytest.raises(DownloadError, match="SSL_CERT_FILE"):
            fetched(card_of(f"{server.url}/w.bin"))
        assert WAITS == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetched(card_of(f"{server.url}/w.bin")).read_bytes() == BYTES


def own_certificate(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return path


def test_a_full_disk_is_noticed_before(server, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=200_000)
    monkeypatch.setattr("dfworkbench.zoo.transfer.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(OutputError, match="300 kB remain to be fetched, and 200 kB are free"):
        fetched(card_of(f"{server.url}/w.bin"))


def test_a_disk_that_fills_up_keeps_what_came(server, monkeypatch):
    append, card = PartFile.append, card_of(f"{server.url}/w.bin")

    def full(self, block):
        if self.size > 100_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, block)

    monkeypatch.setattr(PartFile, "append", full)
    with pytest.raises(OutputError, match="The disk is full"):
        fetched(card)
    monkeypatch.setattr(PartFile, "append", append)
    assert fetched(card).read_bytes() == BYTES
    assert server.ranges_asked[1].startswith("bytes=1")


FETCH = (
    "import sys; from dfworkbench.zoo.card import Card; from dfworkbench.zoo.fetching import get;"
    "get(Card.model_validate_json(sys.stdin.read()), progress=False)"
)


def other_process(card: Card) -> subprocess.Popen:
    text = json.dumps({**card.model_dump(mode="json", exclude={"input", "network"}), "rank": 1})
    process = subprocess.Popen([sys.executable, "-c", FETCH], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write(text)
    process.stdin.close()
    return process


def wait_for(path: Path, size: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if path.is_file() and path.stat().st_size >= size:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not grow")


def test_a_killed_download_continues_and_two_at_once_do_not_mix(server):
    card = card_of(f"{server.url}/w.bin")
    part = target_path(card, card.file()).with_name("w.bin.part")
    server.pause_s = 0.2
    process = other_process(card)
    try:
        wait_for(part, 50_000)
        with pytest.raises(OutputError, match=f"process {process.pid} on"):
            fetched(card)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
    server.pause_s, came = 0, part.stat().st_size
    assert 50_000 <= came < len(BYTES)
    assert fetched(card).read_bytes() == BYTES
    assert server.ranges_asked[-1] == f"bytes={came}-"
    assert left_beside(part) == ["w.bin", "w.bin.record.json"]


@pytest.mark.parametrize(
    ("size", "text"),
    [(12, "12 bytes"), (4083, "4.08 kB"), (266_000_000, "266 MB"), (999_900_000, "1 GB"), (1_216_000_000, "1.22 GB")],
)
def test_sizes_in_words(size, text):
    assert size_text(size) == text
    assert size_of(CardFile(name="w", url="", about_bytes=size)) == f"about {text}"
    assert size_of(CardFile(name="w", url="", bytes=size)) == text


def test_other_programs_caches_are_read_and_not_written(server, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    card = card_of(f"{server.url}/w.bin")
    torch_cache = tmp_path / "user_cache" / "torch" / "hub" / "checkpoints" / "w.bin"
    torch_cache.parent.mkdir(parents=True)
    torch_cache.write_bytes(b"another file of this name")
    assert find_cached(card, card.file()) is None
    torch_cache.write_bytes(BYTES)
    assert fetched(card) == torch_cache
    assert not server.asked
    assert [path.name for path in torch_cache.parent.iterdir()] == ["w.bin"]


def test_hugging_faces_cache_is_read(tmp_path):
    card = card_of("https://huggingface.co/org/model/resolve/main/deep%2B/w.bin")
    repository = tmp_path / "user_cache" / "huggingface" / "hub" / "models--org--model"
    (repository / "blobs").mkdir(parents=True)
    (repository / "blobs" / SHA256).write_bytes(BYTES)
    link = repository / "snapshots" / "1234" / "deep+" / "w.bin"
    link.parent.mkdir(parents=True)
    link.symlink_to(repository / "blobs" / SHA256)
    assert fetched(card) == link


def test_a_damaged_record_refuses(home):
    card = card_of("https://example.org/w.bin", sha256=None)
    target = target_path(card, card.file())
    target.parent.mkdir(parents=True)
    target.write_bytes(BYTES)
    target.with_name("w.bin.record.json").write_text("[")
    with pytest.raises(DownloadError, match="damaged"):
        fetched(card)
