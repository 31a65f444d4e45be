"""Sphinx extension: checks of the built pages, which a warning (and so a failing build) reports.

Sphinx checks the links of Markdown. What notebooks and the theme write is checked here: no page may fetch anything from the
network, link to a file or anchor that is not there, or weigh more than 3 MB with its pictures.
"""

import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

MOST_BYTES = 3_000_000
_log = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True}


def _finish(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        folder = Path(app.outdir)
        shutil.copyfile(folder / f"{app.config.root_doc}.html", folder / "index.html")
        for problem in problems(folder):
            _log.warning(problem)


def problems(folder: Path) -> list[str]:
    """What is wrong with the pages of a built site; empty if nothing is."""
    pages = {file.resolve(): _Page(file) for file in sorted(folder.rglob("*.html")) if "_static" not in file.parts}
    return [problem for page in pages.values() for problem in _problems_of(page, pages, folder)]


class _Page(HTMLParser):
    """What a page links to, fetches and can be linked at."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.anchors: set[str] = {"", "top"}
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value}
        if "id" in values:
            self.anchors.add(values["id"])
        if "src" in values:
            self.fetched.add(values["src"])
        if "href" in values:
            shown = tag == "link" and {"stylesheet", "icon"} & set(values.get("rel", "").split())
            (self.fetched if shown else self.links).add(values["href"])


def _problems_of(page: _Page, pages: dict[Path, _Page], folder: Path) -> list[str]:
    found, name = [], page.file.relative_to(folder).as_posix()
    weight = page.file.stat().st_size
    for address in sorted(page.links | page.fetched):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            if address in page.fetched and parts.scheme != "data":
                found.append(
                    f"{name} fetches {address}: expected a file of the site, so that it opens without a network."
                )
            continue
        target = (page.file.parent / unquote(parts.path)).resolve() if parts.path else page.file.resolve()
        if not target.is_file():
            found.append(f"{name} links to {address}: there is no such file on the site. Correct the link.")
        elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
            found.append(f"{name} links to {address}: that page has no such anchor. Correct the link.")
        elif address in page.fetched:
            weight += target.stat().st_size
    if weight > MOST_BYTES:
        found.append(
            f"{name} weighs {weight / 1e6:.1f} MB with its pictures; expected at most {MOST_BYTES / 1e6:.0f} MB. "
            "Show fewer or smaller figures in it."
        )
    return found
