"""`dfworkbench app` as a process, and a page of it in headless Chromium."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from lab import Lab


class App:
    """The application on a workspace, with a limit of 1 MB for uploads."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self.log = root, scratch / "app.log"

    def __enter__(self) -> "App":
        words = ["app", "--no-browser", "--port", "0", "--upload-mb", "1", "--visitors", "1", "-p", "frames", "4"]
        environment = os.environ | {
            "DFWORKBENCH_HOME": str(self.root),
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dfworkbench", *words], env=environment, stdout=self.log.open("w"), stderr=subprocess.STDOUT
        )  # fmt: skip
        try:
            self.url = self._wait()
        except BaseException:
            self.__exit__()
            raise
        self.address = self.url.rpartition("/")[0]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)

    def end_kernels(self) -> None:
        """The page ends its own."""

    def uploads(self) -> list[str]:
        """Names of the files of visitors that are on the disk."""
        folder = self.root / "data" / "uploads" / ".visitors"
        return sorted(path.name for path in folder.glob("*/*/*"))

    def _wait(self, seconds: float = 90) -> str:
        end = time.monotonic() + seconds
        while True:
            if found := re.search(r"address: +(\S+)", self.log.read_text()):
                return found[1]
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(self.log.read_text()[-2000:])
            time.sleep(0.3)


class Page(Lab):
    """A browser that looks at a page of the application."""

    def open(self, notebook: str = "") -> None:
        """Open a page, by default the first, and wait until a file can be dropped."""
        name = f"/voila/render/{notebook}.ipynb" if notebook else "/"
        self.browser.get(self.server.url.replace("/?", f"{name}?"))
        self.wait(".dfw-drop", 180)

    def drop(self, path: Path) -> None:
        """Let go of a file over the field, as somebody does who drags it there."""
        # a page cannot be given files by a script, an input can: what it got is handed on as a drop
        field, chosen = self.wait(".dfw-drop"), self.wait(".dfw-drop input")
        script = """
            const [field, input] = arguments;
            input.addEventListener("change", (event) => {
              event.stopImmediatePropagation();
              const data = new DataTransfer();
              data.items.add(input.files[0]);
              for (const name of ["dragenter", "dragover", "drop"])
                field.dispatchEvent(new DragEvent(name, {bubbles: true, cancelable: true, dataTransfer: data}));
            }, {capture: true, once: true});"""
        self.browser.execute_script(script, field, chosen)
        chosen.send_keys(str(path))

    def resize(self, width: int, height: int) -> None:
        """Give the page another size, also one that no window has."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        time.sleep(0.8)
