"""Content credentials (C2PA): read the signed manifest in a media file, without any network connection.

c2pa-python is in the extra `evidence`. By default it fetches a manifest from the address named in a file, which would tell the
file's author that it is being examined, and where. That is switched off here, and so are queries for revoked certificates (OCSP).
There is no list of trusted signers: a valid manifest says that the file has not changed since it was signed, and nothing about who
signed. Source: C2PA Technical Specification, chapters on validation (status codes) and on standard assertions (names of fields).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import MediaError
from dfworkbench.core.provenance import package_version
from dfworkbench.media.container import require_regular, without_folders
from dfworkbench.media.foreign import parse_json
from dfworkbench.media.foreign_text import one_line, withhold_private

INSTALL = "pip install 'dfworkbench[evidence]'"
NONE, VALID, INVALID, REMOTE = "none", "valid", "invalid", "remote"
UNSUPPORTED, UNREADABLE, NOT_LOOKED_FOR = "unsupported", "unreadable", "not looked for"

_PACKAGE = "c2pa-python"
_OFFLINE = {
    "version": 1,
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "core": {"allowed_network_hosts": []},  # a second lock: no host may be connected to
}
_URL = re.compile(r"\burl\s+(\S+)")
_MOST_LISTED = 100  # actions, ingredients, and codes of each kind

_SENTENCES = {
    NONE: "No C2PA manifest is in the file. Most files have none; platforms remove them. This is not a finding.",
    VALID: (
        "A C2PA manifest is in the file and is valid: the file has not changed since it was signed; who signed is not established "
        "here. What the manifest says is the signer's claim."
    ),
    INVALID: (
        "A C2PA manifest is in the file and is not valid; the status codes say why. A change after signing is one possible reason."
    ),
    REMOTE: "The file names an address at which its C2PA manifest is said to be. It was not fetched: nothing is sent from here.",
    UNSUPPORTED: "C2PA was not looked for: the library does not know this kind of file. This is not a finding.",
    UNREADABLE: "C2PA could not be looked for: the library cannot read the file. This is not a finding.",
    NOT_LOOKED_FOR: f"C2PA was not looked for: {_PACKAGE} is not installed ({INSTALL}). This is not a finding.",
}


@dataclass(frozen=True)
class Credentials:
    """The content credentials of a file.

    All texts are of unknown origin: they are truncated and have no control characters, but they are not escaped for HTML.

    Attributes:
        status: "none", "valid", "invalid", "remote" (an address, not followed), "unsupported", "unreadable" or "not looked for".
        sentence: What that means.
        state: The library's verdict ("Valid", "Invalid"); None without a manifest in the file.
        reason: The library's message if it could not read the file or its manifest.
        address: Address of a remote manifest, or "".
        title: Title of the file, as signed.
        generator: Program that made the claim.
        actions: Actions, each with action, source_type (last part of the URI that names it), when, software.
        ingredients: Ingredients, each with title, relationship, format.
        issuer: Issuer of the signer's certificate.
        signer: Common name in the certificate.
        signed: Signed time of signing, or "".
        codes: "success", "informational" and "failure", each a list of status codes.
        manifest: All manifests in the file, as the library returns them; None without any.
        withheld: Names of entries omitted from it: positions and serial numbers.
        library: Name and version of the library.
    """

    status: str
    sentence: str
    state: str | None = None
    reason: str = ""
    address: str = ""
    title: str = ""
    generator: str = ""
    actions: tuple[dict[str, str], ...] = ()
    ingredients: tuple[dict[str, str], ...] = ()
    issuer: str = ""
    signer: str = ""
    signed: str = ""
    codes: dict[str, list[str]] = field(default_factory=dict)
    manifest: dict[str, Any] | None = None
    withheld: tuple[str, ...] = ()
    library: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Everything except the whole manifest, which is a file of its own."""
        return {name: value for name, value in vars(self).items() if name != "manifest"}


def content_credentials(path: Path | str, *, private: bool = False) -> Credentials:
    """Read the C2PA manifest of a file. Nothing is sent anywhere, and the contents of the file cannot raise an error.

    Args:
        path: The file; anything but a regular file is not opened.
        private: Keep positions and serial numbers in the manifest.
    """
    path = Path(path)
    try:
        require_regular(path)
    except MediaError as error:
        return Credentials(UNREADABLE, _SENTENCES[UNREADABLE], reason=one_line(without_folders(error, path)))
    try:
        import c2pa
    except (ImportError, OSError):  # OSError: its library does not fit this system
        return Credentials(NOT_LOOKED_FOR, _SENTENCES[NOT_LOOKED_FOR])
    library = f"{_PACKAGE} {package_version(_PACKAGE)}"
    try:
        context = c2pa.Context(settings=c2pa.Settings.from_dict(_OFFLINE))
        reader = c2pa.Reader.try_create(path, context=context)
        if reader is None:
            return Credentials(NONE, _SENTENCES[NONE], library=library)
        with reader:
            state, address = str(reader.get_validation_state()), str(reader.get_remote_url() or "")
            store = parse_json(reader.json())
    except (c2pa.C2paError, OSError, ValueError) as error:
        return _failed(error, library)
    return _read(store if isinstance(store, dict) else {}, state, one_line(address), private, library)


def _failed(error: Exception, library: str) -> Credentials:
    """Interpret an error of the library, whose kind precedes the colon in the message."""
    text = str(error)
    kind = text.partition(":")[0]
    status = {"Remote": REMOTE, "NotSupported": UNSUPPORTED, "Verify": INVALID}.get(kind, UNREADABLE)
    found = _URL.search(text) if status == REMOTE else None
    return Credentials(
        status,
        _SENTENCES[status],
        state="Invalid" if status == INVALID else None,
        reason=one_line(text),
        address=one_line(found[1]) if found else "",
        library=library,
    )


def _read(store: dict[str, Any], state: str, address: str, private: bool, library: str) -> Credentials:
    manifests = _dict(store.get("manifests"))
    active = _dict(manifests.get(str(store.get("active_manifest"))))
    signature = _dict(active.get("signature_info"))
    # without a list of trusted signers, "Trusted" would say no more
    status = VALID if state in ("Valid", "Trusted") else INVALID
    kept, withheld = (store, []) if private else withhold_private(store)
    return Credentials(
        status,
        _SENTENCES[status],
        state=one_line(state),
        address=address,
        title=_text(active.get("title")),
        generator=_generator(active),
        actions=tuple(_actions(active)),
        ingredients=tuple(
            {name: _text(_dict(item).get(name)) for name in ("title", "relationship", "format")}
            for item in _list(active.get("ingredients"))
        ),
        issuer=_text(signature.get("issuer")),
        signer=_text(signature.get("common_name")),
        signed=_text(signature.get("time")),
        codes=_codes(store),
        manifest=kept,
        withheld=tuple(withheld),
        library=library,
    )


def _generator(active: dict[str, Any]) -> str:
    infos = [_software(info) for info in _list(active.get("claim_generator_info"))]
    return ", ".join(filter(None, infos)) or _text(active.get("claim_generator"))


def _software(value: Any) -> str:
    """A program, given as text or as name and version."""
    if isinstance(value, dict):
        return " ".join(filter(None, (_text(value.get("name")), _text(value.get("version")))))
    return _text(value)


def _actions(active: dict[str, Any]) -> Iterator[dict[str, str]]:
    for assertion in map(_dict, _list(active.get("assertions"))):
        if str(assertion.get("label")).startswith("c2pa.actions"):
            for action in map(_dict, _list(_dict(assertion.get("data")).get("actions"))):
                yield {
                    "action": _text(action.get("action")),
                    "source_type": _text(action.get("digitalSourceType")).rpartition("/")[2],
                    "when": _text(action.get("when")),
                    "software": _software(action.get("softwareAgent")),
                }


def _codes(store: dict[str, Any]) -> dict[str, list[str]]:
    """Status codes of the file's own manifest, and failure codes of those that it was made from."""
    results = _dict(store.get("validation_results"))
    own = _dict(results.get("activeManifest"))
    codes = {
        kind: [_text(_dict(code).get("code")) for code in _list(own.get(kind))]
        for kind in ("success", "informational", "failure")
    }
    for ingredient in _list(results.get("ingredientDeltas")):
        failures = _list(_dict(_dict(ingredient).get("validationDeltas")).get("failure"))
        codes["failure"] += [f"ingredient: {_text(_dict(code).get('code'))}" for code in failures]
    return codes


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value[:_MOST_LISTED] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return "" if value is None else one_line(str(value), 500)
