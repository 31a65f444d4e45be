"""One HTTP request for a file: redirects are followed with care, and errors are sorted into retryable and final ones."""

import contextlib
import re
from collections.abc import Iterator

import httpx

from dfworkbench.core.errors import DownloadError
from dfworkbench.zoo.addresses import authorization, require_safe

_MOST_REDIRECTS = 10
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
#: httpx patterns for this machine, which is never accessed through a proxy.
_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class FailedTry(Exception):
    """Raised for a failed attempt that may succeed if repeated."""

    def __init__(self, reason: str, wait_s: float = 0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def new_client(silence_s: float) -> httpx.Client:
    """A client with proxies and certificates from the environment: HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE.

    Args:
        silence_s: Timeout in seconds, for connecting and between bytes.

    Raises:
        DownloadError: A proxy or certificate file cannot be used.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "dfworkbench"}
    try:
        return httpx.Client(timeout=silence_s, headers=headers, mounts=dict.fromkeys(_LOOPBACK))
    except (ValueError, ImportError, OSError) as error:
        raise DownloadError(
            f"preparing a connection: {error}. Expected usable proxies and certificates: check HTTPS_PROXY, ALL_PROXY and "
            "SSL_CERT_FILE."
        ) from error


@contextlib.contextmanager
def answer(
    client: httpx.Client, address: str, doing: str, headers: dict[str, str]
) -> Iterator[tuple[httpx.Response, dict[str, str]]]:
    """Request a file, and yield the response and what Hugging Face announces about it: "sha256", "size", "revision".

    Redirects are followed here rather than by httpx: each must be safe, and none gets the token.

    Args:
        client: See `new_client`.
        address: The first address.
        doing: The current action, with which messages begin.
        headers: Headers of each request.

    Raises:
        DownloadError: The request was refused, or an address is not https.
        FailedTry: The connection failed, or broke while the block read the response.
    """
    before, announced = "", {}
    for _ in range(_MOST_REDIRECTS):
        require_safe(address, before)
        with _explained(doing):
            token = {} if before else authorization(address)
            request = client.build_request("GET", address, headers={**headers, **token})
            response = client.send(request, stream=True)
        with contextlib.closing(response):
            announced = _announced(response.headers) | announced
            if response.is_redirect and "Location" in response.headers:
                with _explained(doing):
                    before, address = address, str(httpx.URL(address).join(response.headers["Location"]))
                continue
            _require_success(doing, response)
            with _explained(doing):
                yield response, announced
            return
    raise DownloadError(
        f"{doing}: {_MOST_REDIRECTS} redirects, one to the next. Expected the file: check the address, or carry it over by hand."
    )


def _announced(headers: httpx.Headers) -> dict[str, str]:
    """What Hugging Face announces about a large file."""
    tag = headers.get("X-Linked-Etag", "").removeprefix("W/").strip('"').lower()
    stated = {
        "sha256": tag if re.fullmatch("[0-9a-f]{64}", tag) else "",
        "size": headers.get("X-Linked-Size", ""),
        "revision": headers.get("X-Repo-Commit", ""),
    }
    return {name: value for name, value in stated.items() if value}


@contextlib.contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Convert httpx errors to `FailedTry`, or to `DownloadError` if repeating would not help."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise FailedTry(f"no answer in time ({type(error).__name__})") from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        text = str(error) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in text:
            raise DownloadError(
                f"{doing}: {text}. Expected a certificate that this machine trusts: if your network has its own, name its "
                "file in SSL_CERT_FILE."
            ) from error
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
            raise DownloadError(f"{doing}: {text}. Expected a web address: check it.") from error
        raise FailedTry(text[0].lower() + text[1:]) from error


def _require_success(doing: str, response: httpx.Response) -> None:
    status = response.status_code
    if status in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE):
        return
    words = f"{status} {response.reason_phrase}".strip()
    if status in _TRY_AGAIN:
        wait = response.headers.get("Retry-After", "")
        raise FailedTry(f"the server answered {words}", min(60.0, float(wait)) if wait.isdigit() else 0)
    cure = {
        401: "The file needs an account: accept its terms on its page and set HF_TOKEN, or carry the file over by hand.",
        403: "The file needs an account: accept its terms on its page and set HF_TOKEN, or carry the file over by hand.",
        404: "The file is no longer there: look on the page of its authors, or carry a copy over by hand.",
    }.get(status, "Check the address and your network, or carry the file over by hand.")
    raise DownloadError(f"{doing}: the server answered {words}; expected the file. {cure}")
