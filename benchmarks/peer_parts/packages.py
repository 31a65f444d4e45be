"""Which of the packages compared with are there, in which version, and how to install those that are not."""

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

#: Package (as installed) to the line that installs it.
INSTALL = {
    "torchcodec": "pip install 'dfworkbench[benchmarks]'; it also needs FFmpeg's shared libraries on the system",
    "decord2": "pip install 'dfworkbench[benchmarks]'",
    "dlib-bin": "pip install 'dfworkbench[benchmarks]'",
    "shapiq": "pip install 'dfworkbench[benchmarks]'",
    "webdataset": "pip install 'dfworkbench[benchmarks]'",
    # it pins NumPy 1, with which it need not be run; later versions bring no model
    "mediapipe": "pip install --no-deps mediapipe==0.10.21 'protobuf>=4.25.3,<5' flatbuffers absl-py attrs",
    "facenet-pytorch": "pip install dfworkbench",
    "captum": "pip install dfworkbench",
}
_ALWAYS = ("torch", "torchvision", "av", "opencv-python-headless", "pillow", "numpy", "scipy", "scikit-learn")


def load(package: str, module: str) -> Any:
    """A module of a package; None, and a printed line that says how to install it, where it cannot be imported."""
    try:
        return importlib.import_module(module)
    except Exception as error:  # whatever an installation lacks: a library of the system raises RuntimeError or OSError
        reason = str(error).strip().splitlines()
        print(f"{package} is left out: import {module} gives {type(error).__name__}: {reason[0] if reason else ''}.")
        print(f"  To install it: {INSTALL[package]}")
        return None


def versions() -> str:
    """Name and version of every package that is compared or compared with, those that are missing marked."""
    return ", ".join(f"{name} {_version(name)}" for name in (*_ALWAYS, *INSTALL))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
