"""Fetch one file over https: resumable, hashed while it is written, with retries."""

import logging
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tqdm.auto import tqdm
from tqdm.std import tqdm as Bar

from dfworkbench.core.errors import DownloadError, OutputError
from dfworkbench.zoo.answers import FailedTry, answer, new_client
from dfworkbench.zoo.cache import size_text
from dfworkbench.zoo.part_file import PartFile

#: Size limit if no size is known in advance; the largest published file has 2 GB.
MOST_BYTES = 20 * 10**9

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries for a server.

    Attributes:
        silence_s: Timeout in seconds, for connecting and between bytes.
        waits_s: Seconds before the second, third, … attempt. Attempts that received new bytes are not counted.
        sleep: Function that waits; replaced in tests.
    """

    silence_s: float = 30
    waits_s: tuple[float, ...] = (1, 2, 4, 8)
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Wanted:
    """A file to fetch.

    Attributes:
        address: The address to start from.
        target: Where to store it.
        size: Its size in bytes, if known.
        sha256: Its hash, if known.
    """

    address: str
    target: Path
    size: int | None = None
    sha256: str = ""

    @property
    def doing(self) -> str:
        """The current action, with which messages begin."""
        return f"fetching {self.target.name} from {self.address}"


@dataclass(frozen=True)
class Fetched:
    """A complete file in its part.

    Attributes:
        part: The part; its size and hash have been checked, if known.
        announced: What Hugging Face announced: "sha256", "size", "revision"; only compared, never trusted.
    """

    part: PartFile
    announced: dict[str, str] = field(default_factory=dict)


#: Whether to show a progress bar; or a class used in place of `tqdm`, to show it elsewhere.
Progress = bool | Callable[..., Bar]


def transfer(wanted: Wanted, *, progress: Progress = True, patience: Patience = Patience()) -> Fetched:
    """Download a file into `TARGET.part`, continuing from what is already there.

    Args:
        wanted: The file. Its folder must exist, and be locked against other processes.
        progress: Whether and how to show a progress bar.
        patience: When to give up.

    Returns:
        The part; `part.become(target)` moves it into place.

    Raises:
        DownloadError: The server refuses the file, or sends another one. A part with a wrong hash is deleted.
        OutputError: The disk is full, or the folder cannot be written.
    """
    part = PartFile(wanted.target, wanted.address, unmarked=bool(wanted.sha256))
    if wanted.size and part.size > wanted.size:
        part.restart()
    announced: dict[str, str] = {}
    if not (wanted.size and part.size == wanted.size):  # otherwise it was stopped just before it was moved into place
        with new_client(patience.silence_s) as client, _bar(wanted, part, progress) as bar, part.writing():
            announced = _try_until_whole(_Download(client, wanted, part, bar), patience)
    found = Fetched(part, announced)
    _require_same_bytes(wanted, found)
    return found


@dataclass
class _Download:
    """The state of one transfer over all its attempts."""

    client: httpx.Client
    wanted: Wanted
    part: PartFile
    bar: Bar

    def ask(self) -> dict[str, str]:
        """Make one attempt; returns what Hugging Face announced.

        Raises:
            FailedTry: The connection failed or broke.
        """
        headers = self.part.range_headers
        with answer(self.client, self.wanted.address, self.wanted.doing, headers) as (response, announced):
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                if self.part.size and response.headers.get("Content-Range") == f"bytes */{self.part.size}":
                    return announced  # all bytes are there; the caller checks their hash
                self.part.restart()
                raise FailedTry("the server has no bytes beyond those that an earlier try left; starting again")
            total = self._total(response)
            self._require_expected(response, total, announced)  # before discarding anything received earlier
            self._begin(response, total)
            for block in response.iter_raw():
                self.part.append(block)
                self.bar.update(len(block))
                if self.part.size > (most := MOST_BYTES if total is None else total):
                    raise DownloadError(
                        f"{self.wanted.doing}: the server sent more than the {most:,} bytes that were expected. "
                        "Check the address, or carry the file over by hand."
                    )
            if total is not None and self.part.size < total:
                raise FailedTry(f"the connection ended after {self.part.size:,} of {total:,} bytes")
        return announced

    def _total(self, response: httpx.Response) -> int | None:
        """Size of the whole file; None if unknown."""
        length = response.headers.get("Content-Length", "")
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if not match or int(match[1]) != self.part.size or self.part.is_of_another(response.headers):
                self.part.restart()
                raise FailedTry("the server sent another range or version than it was asked for; starting again")
            length = match[2]
        return int(length) if length.isdigit() else self.wanted.size

    def _begin(self, response: httpx.Response, total: int | None) -> None:
        """Set part and bar to where the response begins."""
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            self.part.restart()  # the server does not support ranges, or has another version of the file by now
            self.part.mark(response.headers)
        _require_space(self.wanted, (total or 0) - self.part.size)
        self.bar.reset(total)
        self.bar.initial = self.bar.n = self.part.size  # an earlier attempt says nothing about the current speed

    def _require_expected(self, response: httpx.Response, total: int | None, announced: dict[str, str]) -> None:
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/html"):
            raise DownloadError(
                f"{self.wanted.doing}: the answer is a web page ({kind}); expected the file itself. Open the address in a browser "
                "to see what the page asks for, and carry the file over by hand."
            )
        if (encoding := response.headers.get("Content-Encoding", "identity")) != "identity":
            raise DownloadError(
                f"{self.wanted.doing}: the answer is encoded as {encoding!r}; expected the bytes as they are. Check the mirror "
                "or proxy, or carry the file over by hand."
            )
        size, sha256 = self.wanted.size, self.wanted.sha256
        if total is None and not sha256 and "chunked" not in response.headers.get("Transfer-Encoding", ""):
            raise DownloadError(
                f"{self.wanted.doing}: the server does not say how long the file is, and no size or hash is known, so half a "
                "file would look like a whole one. Expected one of them: use another mirror, or carry the file over by hand."
            )
        if total is not None and total > MOST_BYTES:
            raise DownloadError(
                f"{self.wanted.doing}: the server offers {total:,} bytes; expected at most {MOST_BYTES:,}. It is another file, and "
                "was not fetched. Check the address, or carry the file over by hand."
            )
        seen = [str(total) if total is not None else "", announced.get("size", "")]
        if size and (other := next((text for text in seen if text.isdigit() and int(text) != size), "")):
            raise DownloadError(
                f"{self.wanted.doing}: the server offers {int(other):,} bytes; expected {size:,}. It is another file, and was not "
                "fetched. Check the address, or whether a newer dfworkbench knows the file."
            )
        if sha256 and announced.get("sha256", sha256) != sha256.lower():
            raise DownloadError(
                f"{self.wanted.doing}: the server announces a file with SHA-256 {announced['sha256']}; expected {sha256}. It was "
                "not fetched. Check the address, or whether a newer dfworkbench knows the file."
            )


def _try_until_whole(download: _Download, patience: Patience) -> dict[str, str]:
    part, furthest, failed = download.part, download.part.size, 0
    while True:
        try:
            return download.ask()
        except FailedTry as error:
            if part.size > furthest:  # the connection may break any number of times, as long as there is progress
                furthest, failed = part.size, 0
            failed += 1
            if failed > len(patience.waits_s):
                kept = f" {part.size:,} bytes are kept, and the next try continues there." if part.size else ""
                raise DownloadError(
                    f"{download.wanted.doing}: {error}, at the last of {failed} tries. Expected the file.{kept} Try again later, "
                    "or carry the file over by hand."
                ) from error
            wait_s = max(patience.waits_s[failed - 1], error.wait_s)
            _log.warning("%s: %s; trying again in %.0f s", download.wanted.target.name, error, wait_s)
            patience.sleep(wait_s)


def _require_space(wanted: Wanted, missing: int) -> None:
    free = shutil.disk_usage(wanted.target.parent).free
    if missing > free:
        raise OutputError(
            f"{wanted.doing}: {size_text(missing)} remain to be fetched, and {size_text(free)} are free at "
            f"{wanted.target.parent}. Expected room for all of it: free some space, or name another folder in DFWORKBENCH_WEIGHTS."
        )


def _require_same_bytes(wanted: Wanted, found: Fetched) -> None:
    """Compare size and hash of the received file with everything known about it; the part is deleted if they differ."""
    part = found.part
    expected = wanted.sha256.lower() or found.announced.get("sha256", "")
    problem = ""
    if wanted.size and part.size != wanted.size:
        problem = f"{part.size:,} bytes were received, expected {wanted.size:,}"
    elif expected and part.sha256 != expected:
        problem = f"the SHA-256 of what was received is {part.sha256}, expected {expected}"
    if problem:
        part.restart()
        raise DownloadError(
            f"{wanted.doing}: {problem}. It is another file or a damaged one, and was deleted. Try again; if it happens again, the "
            "authors changed the file or the mirror is wrong: compare the hashes on their page."
        )


def _bar(wanted: Wanted, part: PartFile, progress: Progress) -> Bar:
    name, bar = wanted.target.name, tqdm if isinstance(progress, bool) else progress
    return bar(
        total=wanted.size, initial=part.size, desc=name, unit="B", unit_scale=True, disable=not progress, leave=False
    )
