"""A page in Chromium, served from this machine alone."""

import shutil
from pathlib import Path
from typing import Any

import jupyter_server_mathjax
import pytest
from formgrader import TOKEN

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CDN = "https://cdnjs.cloudflare.com/"
MATHJAX = Path(jupyter_server_mathjax.__file__).parent / "static"
COMPLETE = "MathJax.Ajax.loadComplete('[MathJax]/config/{}');"
BLOCK = "div[style*='contain: paint']"
CLICK_EVERYTHING = """block => block.querySelectorAll("*").forEach(element => {
    for (const name of ["mouseover", "focus", "click"])
        element.dispatchEvent(new MouseEvent(name, {bubbles: true, cancelable: true, view: window}))
})"""

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


class Visit:
    """A page with a record of the dialogs and the requests to other machines that it caused."""

    def __init__(self, browser: Any, own: str) -> None:
        self._context = browser.new_context(extra_http_headers={"Authorization": f"token {TOKEN}"})
        self.page = self._context.new_page()
        self.happened: list[str] = []
        self._own = own
        self._context.route("**/*", self._answer)
        self._context.on("dialog", self._note_dialog)

    def _answer(self, route: Any) -> None:
        url = route.request.url
        if url.startswith((self._own, "file:")):
            route.continue_()
        elif url.startswith(f"{CDN}ajax/libs/mathjax/"):
            _serve_mathjax(route, url)
        elif url.startswith(CDN):  # the libraries of nbconvert's page
            route.fulfill(body="", content_type="text/javascript")
        else:
            self.happened.append(url)
            route.abort()

    def _note_dialog(self, dialog: Any) -> None:
        self.happened.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def open(self, address: str, answer: str = BLOCK) -> Any:
        """Open a page and wait until its formulas are typeset; the answer."""
        self.page.goto(address, timeout=60_000)
        self.page.wait_for_selector(answer, timeout=60_000)
        if self.page.evaluate("() => Boolean(window.MathJax?.Hub)"):
            self.page.evaluate("() => new Promise(done => MathJax.Hub.Queue(() => done()))")
        self.page.wait_for_timeout(500)
        return self.page.locator(answer).first

    def click_everything(self, answer: Any) -> None:
        """Click on every element of an answer."""
        answer.evaluate(CLICK_EVERYTHING)
        self.page.wait_for_timeout(500)

    def close(self) -> None:
        self._context.close()


def _serve_mathjax(route: Any, url: str) -> None:
    """MathJax 2, as nbconvert's page loads it, but without its extension Safe: answers must be safe without it."""
    name = url.split("?")[0].split("/mathjax/", 1)[1].split("/", 1)[1]
    if name == "latest.js":  # on the network too, it only loads MathJax.js
        address = url.replace("latest.js", "MathJax.js")
        route.fulfill(
            body=f"document.write('<script src=\"{address}\"></scr' + 'ipt>')", content_type="text/javascript"
        )
    elif name == "config/Safe.js":
        route.fulfill(body=COMPLETE.format("Safe.js"), content_type="text/javascript")
    elif name == "config/TeX-AMS_CHTML-full.js":
        text = (MATHJAX / "config" / "TeX-AMS-MML_HTMLorMML-full.js").read_text(encoding="utf-8")
        route.fulfill(body=text.replace("TeX-AMS-MML_HTMLorMML-full", "TeX-AMS_CHTML-full"))
    elif (MATHJAX / name).is_file():
        route.fulfill(path=MATHJAX / name)
    else:
        route.fulfill(status=404, body="")
