"""`dfworkbench lab | app | run | grade`: commands for notebooks, their web pages, and labs."""

import argparse
from pathlib import Path

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.safe_paths import say
from dfworkbench.notebook.flags import PAIRS, Command


def _lab(given: argparse.Namespace) -> int:
    from dfworkbench.notebook.lab import open_lab

    open_lab(given.folder, say, browser=not given.no_browser, port=given.port, ip=given.ip)
    return 0


def _app(given: argparse.Namespace) -> int:
    from dfworkbench.notebook.app import AppSettings, serve_app

    serve_app(AppSettings(given.port, given.ip, not given.no_browser, given.upload_mb, given.visitors, given.p), say)
    return 0


def _run(given: argparse.Namespace) -> int:
    from dfworkbench.notebook.runner import run_notebook

    executed = run_notebook(given.notebook, given.p, given.output)
    say(f"executed notebook: {executed}\npage:              {executed.with_suffix('.html')}")
    return 0


def _grade(given: argparse.Namespace) -> int:
    from dfworkbench.notebook.labs.submissions import grade_folder, key_text, write_grades

    if (given.folder is None) == (not given.key):
        raise ParameterError(
            "dfworkbench grade: expected either a folder of notebooks that were handed in, or --key LAB. Name one of them."
        )
    if given.key:
        say(key_text(given.key, given.seed))
        return 0
    grades = grade_folder(given.folder)
    say(grades.drop(columns=["given"]).to_string(index=False))
    if given.table:
        say(f"written: {write_grades(grades, given.table)}")
    return 0


NOTEBOOK_COMMANDS = {
    "lab": Command(
        "make a workspace with the notebooks, and open JupyterLab on it",
        _lab,
        {
            "folder": {
                "nargs": "?",
                "type": Path,
                "help": "the workspace (default: the one around this folder, else here)",
            },
            "--no-browser": {"action": "store_true", "help": "print the address, and open no browser"},
            "--port": {"type": int, "help": "port of the server (default: 8888, or the next free one)"},
            "--ip": {
                "default": "",
                "help": "address to listen on, such as 0.0.0.0 in a container (default: this machine only)",
            },
        },
    ),
    "app": Command(
        "serve notebooks 03 and 10 as pages without code: drop a file, read what was found",
        _app,
        {
            "--no-browser": {"action": "store_true", "help": "print the address, and open no browser"},
            "--port": {"type": int, "help": "port of the server (default: 8866, or a free one near it)"},
            "--ip": {
                "default": "127.0.0.1",
                "help": "address to listen on (default: this machine only); whoever has the printed address may use the pages",
            },
            "--upload-mb": {
                "type": int,
                "default": 500,
                "metavar": "MB",
                "help": "largest file that is taken (default: 500)",
            },
            "--visitors": {
                "type": int,
                "default": 4,
                "metavar": "N",
                "help": "how many pages may be open at once (default: 4)",
            },
            "-p": {**PAIRS, "help": "a parameter of notebook 03, such as -p checkpoint my_run"},
        },
    ),
    "run": Command(
        "execute a notebook with parameters",
        _run,
        {
            "notebook": {"help": "a name such as 02_train, or a path"},
            "-p": {**PAIRS, "help": "a parameter"},
            "--output": {"type": Path, "help": "the executed notebook (default: report/notebooks/NOTEBOOK.ipynb)"},
        },
    ),
    "grade": Command(
        "grade a folder of labs that were handed in, without running them; or show the answers of one",
        _grade,
        {
            "folder": {"nargs": "?", "type": Path, "help": "notebooks that were handed in, also in folders below it"},
            "--table": {
                "type": Path,
                "metavar": "CSV",
                "help": "also write the grades, with the answers that were given",
            },
            "--key": {"default": "", "metavar": "LAB", "help": "right answers of a lab, and how they come about"},
            "--seed": {"type": int, "default": 0, "help": "for --key: of the data (default: 0)"},
        },
    ),
}
