"""One request for a file: redirects followed with care, and what goes wrong told apart from what another try may mend."""

import contextlib
import re
from collections.abc import Iterator

import httpx

from dfworkbench.core.errors import DownloadError
from dfworkbench.zoo.addresses import authorization, require_safe

_MOST_REDIRECTS = 10
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
#: Patterns of httpx for this machine, which is never asked by way of a proxy.
_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class FailedTry(Exception):
    """A try that may go better the next time."""

    def __init__(self, reason: str, wait_s: float = 0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def new_client(silence_s: float) -> httpx.Client:
    """A client with the proxies and certificates of the environment: HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE.

    Args:
        silence_s: Seconds without a byte, or for a connection, after which a request has failed.

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
    """Ask for a file, and yield the answer and what Hugging Face announces of it: "sha256", "size", "revision".

    Redirects are followed here and not by httpx: each must be safe, and none gets the token.

    Args:
        client: See `new_client`.
        address: The first address.
        doing: What is being done, as messages begin.
        headers: Of each request.

    Raises:
        DownloadError: It was refused, or an address is not https.
        FailedTry: The connection failed, or broke while the block read the answer.
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
    """What Hugging Face says of a large file."""
    tag = headers.get("X-Linked-Etag", "").removeprefix("W/").strip('"').lower()
    stated = {
        "sha256": tag if re.fullmatch("[0-9a-f]{64}", tag) else "",
        "size": headers.get("X-Linked-Size", ""),
        "revision": headers.get("X-Repo-Commit", ""),
    }
    return {name: value for name, value in stated.items() if value}


@contextlib.contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Turn the errors of httpx into a failed try, or into a `DownloadError` where another try would end in the same way."""
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
