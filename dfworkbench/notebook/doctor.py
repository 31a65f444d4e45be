"""The doctor: versions, hardware, and package combinations known to break, each with a fix.

Package facts come from installed metadata, without imports: a broken combination must not break the doctor.
"""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from dfworkbench.core.cores import available_cores
from dfworkbench.core.html import html_table, wrap
from dfworkbench.core.workspace import find_workspace

CV2_WHEELS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
FABRIC_NAMES = ("lightning", "lightning-fabric", "pytorch-lightning")
#: The torch version that each torchvision was built for; the wheels are less strict (0.29.1 asks for torch>=2.14.0).
TORCH_OF_VISION = {"0.28.0": "2.13.0", "0.29.1": "2.14.1", "0.29.2": "2.15.0"}
_FREE_GB = 5  # the demo needs about 1 GB; warn below this


@dataclass(frozen=True)
class Finding:
    """A problem, and how to fix it."""

    what: str
    cure: str


@dataclass(frozen=True)
class Doctor:
    """Result of `examine`. Displays itself as a table in a notebook and as text in a terminal.

    Attributes:
        machine: Name -> value: Python, processors, memory on disk, accelerator.
        packages: (name, installed version or "missing", supported range) of every direct dependency.
        findings: Problems; empty if there are none.
    """

    machine: dict[str, str]
    packages: list[tuple[str, str, str]]
    findings: list[Finding] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether no problem was found."""
        return not self.findings

    def verdict(self) -> str:
        """One-line verdict."""
        return "Everything fits together." if self.healthy else f"{len(self.findings)} thing(s) to fix:"

    def __str__(self) -> str:
        width = max(len(name) for name in [*self.machine, *(package[0] for package in self.packages)])
        lines = [f"{name:<{width}}  {value}" for name, value in self.machine.items()]
        lines += [""] + [f"{name:<{width}}  {version:<12} {wanted}" for name, version, wanted in self.packages]
        lines += ["", self.verdict()]
        lines += [line for finding in self.findings for line in (f"  ✗ {finding.what}", f"    fix: {finding.cure}")]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        half = (len(self.packages) + 1) // 2
        heads = ("package", "installed", "supported")
        tables = "".join(html_table(heads, part) for part in (self.packages[:half], self.packages[half:]))
        mark = "<span class='dfw-good'>✓" if self.healthy else "<span class='dfw-bad'>✗"
        cures = "".join(f"<li>{escape(f.what)}<br><code>{escape(f.cure)}</code></li>" for f in self.findings)
        return wrap(
            f"<div class='dfw-title'>{mark} {escape(self.verdict())}</span></div>{f'<ul>{cures}</ul>' if cures else ''}"
            f"{html_table((), self.machine.items())}<div class='dfw-columns'>{tables}</div>"
        )


def examine() -> Doctor:
    """Examine this machine and the packages installed for this Python."""
    versions = installed_versions()
    wanted = _requirements()
    findings = check_versions(versions, torch_for_vision())
    findings += _outside_range(versions, wanted)
    machine, more = _machine()
    packages = [(name, versions.get(name, "missing"), str(req.specifier)) for name, req in wanted.items()]
    return Doctor(machine, packages, findings + more)


def installed_versions() -> dict[str, str]:
    """Normalised name -> version of everything installed."""
    return {_normal(dist.metadata["Name"]): dist.version for dist in metadata.distributions() if dist.metadata["Name"]}


def torch_for_vision() -> str:
    """The range of torch that the installed torchvision asks for (">=2.14.0"), or an empty string."""
    try:
        requirements = [Requirement(text) for text in metadata.requires("torchvision") or []]
    except metadata.PackageNotFoundError:
        return ""
    return next((str(req.specifier) for req in requirements if req.name == "torch"), "")


def check_versions(versions: Mapping[str, str], vision_needs: str = "") -> list[Finding]:
    """Check for combinations of packages that are known to break.

    Args:
        versions: Normalised package name -> version.
        vision_needs: The range of torch that the installed torchvision declares, such as "==2.13.0".
    """
    findings = _torch_pair(versions, vision_needs)
    wheels = [name for name in CV2_WHEELS if name in versions]
    if len(wheels) > 1:
        rest = " ".join(wheels)
        findings.append(
            Finding(
                f"{' and '.join(wheels)} both provide cv2 and overwrite each other's files.",
                f"pip uninstall -y {rest} && pip install opencv-python-headless",
            )
        )
    for name in FABRIC_NAMES:
        if versions.get(name) in ("2.6.2", "2.6.3"):
            findings.append(
                Finding(
                    f"{name} {versions[name]} is a compromised release: it may have run foreign code here.",
                    f"pip install --upgrade '{name}>=2.6.4', then change the passwords and keys used on this machine",
                )
            )
    if Version(versions.get("facenet-pytorch", "0")) >= Version("2.6"):
        findings.append(
            Finding(
                f"facenet-pytorch {versions['facenet-pytorch']} forces torch < 2.3, numpy < 2 and pillow < 10.3.",
                "pip install facenet-pytorch==2.5.3",
            )
        )
    return findings


def _torch_pair(versions: Mapping[str, str], vision_needs: str) -> list[Finding]:
    if "torch" not in versions or "torchvision" not in versions:
        return []
    torch, vision = Version(versions["torch"]), Version(versions["torchvision"])
    if torch.local == "cpu" and vision.local != "cpu":
        return [
            Finding(
                f"torch {torch} is a CPU-only build, torchvision {vision} is the registry's: importing torchvision fails.",
                f"pip install --force-reinstall --no-deps torch=={torch.public}  (or both with +cpu, from the same index)",
            )
        ]
    built_for = TORCH_OF_VISION.get(vision.public)
    # torchvision's compiled parts work with one minor version of torch only
    other_minor = built_for is not None and Version(built_for).release[:2] != torch.release[:2]
    if not other_minor and (built_for or SpecifierSet(vision_needs).contains(torch.public, prereleases=True)):
        return []
    partner = next((v for v, t in TORCH_OF_VISION.items() if Version(t).release[:2] == torch.release[:2]), None)
    needs = f"=={built_for}" if built_for else vision_needs
    cure = f"pip install torch=={torch.public} torchvision=={partner}" if partner else f"pip install 'torch{needs}'"
    return [Finding(f"torchvision {vision} was built for torch {needs}, but torch {torch} is installed.", cure)]


def _requirements() -> dict[str, Requirement]:
    try:
        texts = metadata.requires("dfworkbench") or []
    except metadata.PackageNotFoundError:  # run from a source folder without being installed
        texts = []
    parsed = [Requirement(text) for text in texts]
    return {_normal(req.name): req for req in parsed if req.marker is None or req.marker.evaluate()}


def _outside_range(versions: Mapping[str, str], wanted: Mapping[str, Requirement]) -> list[Finding]:
    findings = []
    for name, req in wanted.items():
        if name not in versions:
            findings.append(Finding(f"{name} is not installed.", f"pip install '{req}'"))
        elif not req.specifier.contains(Version(versions[name]).public, prereleases=True):
            findings.append(Finding(f"{name} {versions[name]} is outside {req.specifier}.", f"pip install '{req}'"))
    return findings


def _machine() -> tuple[dict[str, str], list[Finding]]:
    root = find_workspace().root
    existing = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    accelerator, threads = _torch_view()
    machine = {
        "dfworkbench": metadata.version("dfworkbench") if "dfworkbench" in installed_versions() else "from source",
        "Python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.machine()}",
        "processors": f"{available_cores()}, torch uses {threads} thread(s)",
        "accelerator": accelerator,
        "who is who": _identity_view(),
        "workspace": f"{root} ({free:.0f} GB free)",
    }
    findings = []
    if free < _FREE_GB:
        findings.append(Finding(f"only {free:.1f} GB are free at {root}.", "free some space, or set DFWORKBENCH_HOME"))
    if not os.access(existing, os.W_OK):
        findings.append(Finding(f"{Path(root)} cannot be written to.", "set DFWORKBENCH_HOME to a folder of yours"))
    return machine, findings


def _identity_view() -> str:
    try:
        from dfworkbench.faces import describe_weights
    except Exception as error:  # the doctor must survive the failures it looks for
        return f"not known: {error}"
    return describe_weights()


def _torch_view() -> tuple[str, str]:
    try:
        import torch
    except Exception as error:  # any failure of a broken installation is a finding, not the end of the doctor
        return f"unknown: importing torch fails ({error})", "?"
    threads = str(torch.get_num_threads())
    if not torch.cuda.is_available():
        return "none: everything runs on the CPU", threads
    gpu = torch.cuda.get_device_properties(0)
    return f"{torch.cuda.device_count()} x {gpu.name} ({gpu.total_memory / 2**30:.0f} GiB)", threads


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
