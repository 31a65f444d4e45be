"""Offline mode: environment variables that forbid all network connections."""

import os

#: Setting either one to a value in `_YES` forbids connections; the second is Hugging Face's own.
OFFLINE_VARIABLES = ("DFWORKBENCH_OFFLINE", "HF_HUB_OFFLINE")
_YES = ("1", "true", "yes", "on")


def offline() -> str:
    """The variable that forbids connections, as "NAME=VALUE"; "" if none is set."""
    given = {name: os.environ.get(name, "") for name in OFFLINE_VARIABLES}
    return next((f"{name}={value}" for name, value in given.items() if value.strip().lower() in _YES), "")
