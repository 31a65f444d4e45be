"""JupyterLab in headless Chromium, driven through selenium: the few moves that the browser test needs."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
_SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip


class Server:
    """A JupyterLab server on `root`."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self.scratch = root, scratch

    def __enter__(self) -> "Server":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root",
                "--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True",
                f"--ServerApp.root_dir={self.root}", "--ServerApp.port_retries=0",
            ],
            env=self._environment(), stdout=(self.scratch / "lab.log").open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)

    def end_kernels(self) -> None:
        """End what the last test has started."""
        for session in json.load(self._ask("GET", "sessions")):
            self._ask("DELETE", f"sessions/{session['id']}").close()

    def _ask(self, method: str, path: str, seconds: float = 30) -> Any:
        request = urllib.request.Request(f"{self.address}/api/{path}", method=method)
        return urllib.request.urlopen(request, timeout=seconds)

    def _wait(self, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                self._ask("GET", "", 2).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError((self.scratch / "lab.log").read_text()[-2000:]) from None
                time.sleep(0.5)

    def _environment(self) -> dict[str, str]:
        settings = self.scratch / "settings"
        news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        news.parent.mkdir(parents=True, exist_ok=True)
        news.write_text(
            json.dumps({"fetchNews": "false", "checkForUpdates": False})
        )  # or a dialogue lies over the page
        return os.environ | {
            "DFWORKBENCH_HOME": str(self.root), "JUPYTERLAB_SETTINGS_DIR": str(settings), "OMP_NUM_THREADS": "1",
            "JUPYTERLAB_WORKSPACES_DIR": str(self.scratch / "workspaces"), "JUPYTER_CONFIG_DIR": str(self.scratch / "config"),
        }  # fmt: skip


class Lab:
    """A browser that looks at a JupyterLab server."""

    def __init__(self, server: Server, scratch: Path, size: tuple[int, int] = (1500, 1700)) -> None:
        self.server, self.scratch, self.size = server, scratch, size

    def __enter__(self) -> "Lab":
        self.browser = self._open_browser()
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.quit()
        self.server.end_kernels()

    def leave(self) -> None:
        """Leave the page, and end what it has started: the next one is opened as in a browser that was just started."""
        self.browser.get("about:blank")
        self.server.end_kernels()

    def _open_browser(self):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in (
            *_SWITCHES,
            f"--user-data-dir={self.scratch / 'profile'}",
            "--window-size={},{}".format(*self.size),
        ):
            options.add_argument(switch)
        return webdriver.Chrome(options=options, service=Service(DRIVER))

    # -- moves --------------------------------------------------------------------------------------------------------

    def open(self, notebook: str) -> None:
        """Open a notebook of the root folder and wait for its kernel."""
        self.browser.get(f"{self.server.address}/lab/tree/{notebook}?reset")
        self.wait(".jp-Notebook .jp-Cell", 90)
        self.wait(".jp-Notebook-ExecutionIndicator[data-status='idle']", 90)
        time.sleep(2)  # the last cells are put in after the first are shown

    def wait(self, selector: str, seconds: float = 60, text: str = ""):
        """The first element that fits, once there is one (that holds `text`)."""
        return self.until(
            lambda: next((e for e in self.all(selector) if text in (e.get_attribute("textContent") or "")), None),
            seconds,
            f"{selector} {text!r}",
        )

    def until(self, check, seconds: float, what: str):
        """What `check` returns, as soon as it is true."""
        from selenium.common.exceptions import StaleElementReferenceException

        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(StaleElementReferenceException):  # the page was drawn anew meanwhile: look again
                if found := check():
                    return found
            if time.monotonic() > end:
                self.shot("timeout")
                raise TimeoutError(f"waited {seconds} s for {what}")
            time.sleep(0.3)

    def all(self, selector: str) -> list:
        """All elements that fit."""
        from selenium.webdriver.common.by import By

        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def inside(self, element, selector: str) -> list:
        """All elements within another that fit."""
        from selenium.webdriver.common.by import By

        return element.find_elements(By.CSS_SELECTOR, selector)

    def after(self, element, tag: str):
        """The first element of a kind that stands further down the page than another."""
        from selenium.webdriver.common.by import By

        return element.find_element(By.XPATH, f"following::{tag}[1]")

    def menu(self, bar: str, item: str) -> None:
        """Choose an item of the menu bar."""
        self.wait(".lm-MenuBar-item", text=bar).click()
        time.sleep(0.4)
        self.wait(".lm-Menu-item", text=item).click()
        time.sleep(0.4)

    def select_cell(self, words: str) -> None:
        """Select the code cell whose source holds `words`."""
        cell = self.wait(".jp-CodeCell", text=words)
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
        time.sleep(0.4)
        from selenium.webdriver.common.by import By

        cell.find_element(By.CSS_SELECTOR, ".jp-InputPrompt").click()
        time.sleep(0.3)

    def run_panel(self) -> None:
        """Run everything up to the settings panel, and wait until it can be clicked."""
        self.select_cell("panel = SettingsPanel")
        self.menu("Run", "Run All Above Selected Cell")
        self.menu("Run", "Run Selected Cell")
        self.wait(".dfw-card .dfw-command", 120)

    def run_cell(self, words: str) -> None:
        """Run the cell that holds `words`, and wait until it has run."""
        self.select_cell(words)
        self.menu("Run", "Run Selected Cell")
        self.wait(".jp-Notebook-ExecutionIndicator[data-status='idle']", 120)

    def run_below(self, words: str, seconds: float) -> None:
        """Run the cell that holds `words` and all below it, until every one has run."""
        self.select_cell(words)
        self.menu("Run", "Run Selected Cell and All Below")
        self.until(lambda: all(prompt.strip("[]:").isdigit() for prompt in self.prompts()), seconds, "the last cell")
        self.wait(".jp-Notebook-ExecutionIndicator[data-status='idle']")

    def prompts(self) -> list[str]:
        """What stands before each code cell: "[3]:" after it has run, "[*]:" while it runs, "[ ]:" before."""
        return [e.get_attribute("textContent") or "" for e in self.all(".jp-CodeCell .jp-InputPrompt")]

    def troubles(self) -> list[str]:
        """Errors and warnings that stand under cells."""
        kinds = "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"
        return [e.get_attribute("textContent") or "" for e in self.all(kinds)]

    def labelled(self, title: str):
        """The panel's control under the label `title`."""
        from selenium.webdriver.common.by import By

        for label in self.all(".dfw-label"):
            if label.get_attribute("textContent") == title:
                return label.find_element(By.XPATH, "ancestor::div[contains(@class,'widget-vbox')][1]")
        raise LookupError(f"the panel shows no setting {title!r}")

    def show(self, element) -> None:
        """Scroll an element to the top of the page."""
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'start'})", element)
        time.sleep(0.8)

    def shot(self, name: str) -> Path:
        """Keep a picture of the page."""
        folder = Path(os.environ.get("DFWORKBENCH_SCREENSHOTS", self.scratch))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        self.browser.save_screenshot(str(path))
        return path

    def choose(self, title: str, option: str) -> None:
        """Choose an option of a dropdown of the panel."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.ui import Select

        Select(self.labelled(title).find_element(By.TAG_NAME, "select")).select_by_visible_text(option)

    def choose_in(self, selector: str, option: str) -> None:
        """Choose the option that begins with `option` in a dropdown outside of the panel."""
        from selenium.webdriver.support.ui import Select

        for element in self.all(f"{selector} select"):
            for text in (found.text for found in Select(element).options):
                if text.startswith(option):
                    Select(element).select_by_visible_text(text)
                    return
        raise LookupError(f"no dropdown of {selector} offers {option!r}")

    def press(self, slider: str, *keys: str) -> None:
        """Press keys on the handle of the slider that is described as `slider`, as somebody without a mouse does."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys

        for row in self.all(".widget-slider"):
            if slider in (row.get_attribute("textContent") or ""):
                row.find_element(By.CSS_SELECTOR, ".noUi-handle").send_keys(*(getattr(Keys, key) for key in keys))
                return
        raise LookupError(f"no slider is described as {slider!r}")

    def type_into(self, title: str, text: str) -> None:
        """Type into a text or number box of the panel, and leave it."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys

        box = self.labelled(title).find_element(By.TAG_NAME, "input")
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(Keys.DELETE if not text else text)
        box.send_keys(Keys.TAB)
