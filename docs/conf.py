"""Settings of the site (`make docs`): the Markdown pages and notebooks of the repository, where they are, and its docstrings.

The repository itself is Sphinx's source folder, so links between pages are the same on the site, on GitHub and in an editor.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent / "site")]

import dfworkbench  # noqa: E402

project = "dfworkbench"
version = release = dfworkbench.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "site_pages", "docstrings", "built_pages"]

# -- which files are pages
root_doc = "README"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/guides/*.md",
    "docs/decisions/*.md",
    "docs/site/reference.md",
    "notebooks/*.ipynb",
    "notebooks/labs/*.ipynb",
    "dfworkbench/methods/*/README.md",
    "benchmarks/README.md",
    "labels/README.md",
]
_WITH_PAGES = {"docs", "notebooks", "dfworkbench", "benchmarks", "labels"}
# the environment, data and crops are not even looked into
exclude_patterns = [
    str(folder.relative_to(ROOT))
    for folder in [*ROOT.iterdir(), *(ROOT / "labels").iterdir()]
    if folder.is_dir() and folder.name not in _WITH_PAGES
] + ["**.ipynb_checkpoints"]

# -- Markdown and notebooks
myst_heading_anchors = 4  # the anchors that GitHub gives headings; a link to one that is missing is a warning
myst_enable_extensions = ["colon_fence"]
nb_execution_mode = "off"  # results come from notebooks that were executed before, see site_pages
nb_ipywidgets_js = {}  # from the network; executed notebooks have no live widgets
nb_merge_streams = True

# -- docstrings
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style"), ("Fields", "params_style")]
python_display_short_literal_types = True
python_maximum_signature_line_length = 88

# -- pages: nothing on them comes from the network, and they open from a folder
html_theme = "furo"
pygments_style, pygments_dark_style = "github-light", "github-dark"
html_title = f"dfworkbench {release}"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False  # the licence is a page of the repository
