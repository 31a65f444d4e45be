"""PDF of a case file, made from its page by WeasyPrint, offline; byte-identical if SOURCE_DATE_EPOCH is set."""

import hashlib
import logging
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import MissingDependencyError
from dfworkbench.core.outputs import OutputKind, require_replaceable
from dfworkbench.core.workspace import atomic_path

PDF_NAME = "report.pdf"
_MARK = "dfworkbench"  # prefix of the identifier of our PDFs
INSTALL = (
    'pip install "dfworkbench[evidence]"; on Debian or Ubuntu also: apt-get install libpango-1.0-0 libpangoft2-1.0-0'
)


def why_no_pdf() -> str:
    """Why no PDF can be made here, with the command that fixes it; "" if possible."""
    try:
        _weasyprint()
    except MissingDependencyError as error:
        return str(error)
    return ""


def write_pdf(page: Path, path: Path) -> Path:
    """Write the PDF of a page atomically.

    Args:
        page: The case file's HTML.
        path: A .pdf file; only one written by dfworkbench is replaced.

    Raises:
        MissingDependencyError: WeasyPrint or the system library Pango is missing.
        OutputError: `path` does not end in .pdf, cannot be written, or holds a file that dfworkbench did not write.
    """
    weasyprint = _weasyprint()
    require_replaceable(path, OutputKind("a PDF", (".pdf",), _is_ours))
    source = page.read_text(encoding="utf-8")
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=("data",))
    document = weasyprint.HTML(string=source, url_fetcher=fetcher)
    identifier = f"{_MARK}-{hashlib.sha256(source.encode()).hexdigest()[:32]}".encode()
    with atomic_path(path, "a PDF") as temporary:
        document.write_pdf(temporary, pdf_identifier=identifier, pdf_tags=True)
    return path


def _is_ours(path: Path) -> bool:
    content = path.read_bytes()
    return content.startswith(b"%PDF") and any(
        mark in content for mark in (_MARK.encode(), _MARK.encode().hex().encode())
    )


def _weasyprint() -> Any:
    """Import WeasyPrint, without its warnings about unsupported CSS."""
    try:
        import weasyprint
    except (ImportError, OSError) as error:  # OSError: cffi finds no Pango
        raise MissingDependencyError(
            f"making a PDF of the case file: WeasyPrint cannot be loaded ({str(error).splitlines()[0]}). Expected WeasyPrint "
            f"and the system library Pango; the page report.html holds the same. Install them ({INSTALL})."
        ) from error
    for name in ("weasyprint", "fontTools"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return weasyprint
