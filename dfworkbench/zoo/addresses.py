"""Download addresses: mirrors, Hugging Face's endpoint and token, and rules for what is refused."""

import os
from urllib.parse import SplitResult, urlsplit

from dfworkbench.core.errors import DownloadError

HUB = "https://huggingface.co"
MIRROR_VARIABLE = "DFWORKBENCH_MIRROR"

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def fetch_address(url: str) -> str:
    """The address to request for a file that a card locates at `url`.

    DFWORKBENCH_MIRROR=https://mirror.example serves all hosts, each below its name, in the layout of `wget --force-directories`.
    HF_ENDPOINT replaces huggingface.co.
    """
    mirror = os.environ.get(MIRROR_VARIABLE, "").rstrip("/")
    if mirror:
        return f"{mirror}/{url.partition('://')[2]}"
    return endpoint() + url.removeprefix(HUB) if url.startswith(HUB + "/") else url


def authorization(address: str) -> dict[str, str]:
    """Header with HF_TOKEN if `address` belongs to Hugging Face (or HF_ENDPOINT); it must not be sent to redirects."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token or os.environ.get(MIRROR_VARIABLE) or _origin(urlsplit(address)) != _origin(urlsplit(endpoint())):
        return {}
    return {"Authorization": f"Bearer {token}"}


def require_safe(address: str, before: str = "") -> None:
    """Refuse an address that is not https.

    Args:
        address: Target of the next request. Plain http is allowed on this machine, for mirrors and tests.
        before: The address that redirects there; another machine may not redirect to this one.

    Raises:
        DownloadError: The address is refused.
    """
    parts = urlsplit(address)
    local = parts.hostname in _LOOPBACK and (not before or urlsplit(before).hostname in _LOOPBACK)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and local)):
        return
    came = f", to which {before} redirects" if before else ""
    raise DownloadError(
        f"fetching {address}{came}: the address begins with {parts.scheme or 'nothing'!r}; expected https, or http on this "
        "machine (localhost). Nothing was fetched: use an https mirror, or carry the file over by hand."
    )


def endpoint() -> str:
    """Address of Hugging Face: HF_ENDPOINT, or huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port
