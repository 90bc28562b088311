"""Students' answers in a real browser: formgrader's page, nbgrader's feedback, and the notebook in JupyterLab.

No answer runs, asks another machine for anything, or leaves a link that runs; honest answers are shown as they were
written, with their formulas typeset. The test needs Chromium. Run it with ``pytest -m slow``.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupyter_server_mathjax
import pytest
from answer_corpus import FORMULAS, HONEST, HTML, LINKS
from classroom import Classroom
from formgrader import TOKEN, Formgrader
from tiny_lab import MODULE, STAGE

from autograder.course.lab import Lab
from autograder.integrations.nbgrader import generate_feedback
from autograder.integrations.nbgrader.course import step_folder

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CONFIG = Path(__file__).parents[3] / "nbgrader_config.py"
CDN = "https://cdnjs.cloudflare.com/"
MATHJAX = Path(jupyter_server_mathjax.__file__).parent / "static"
COMPLETE = "MathJax.Ajax.loadComplete('[MathJax]/config/{}');"
BETWEEN = "\n\n---\n\n"
ANSWERS = {
    "links": BETWEEN.join(LINKS),
    "html": BETWEEN.join(HTML),
    "formulas": BETWEEN.join(FORMULAS),
    "honest": BETWEEN.join(answer for answer, _, _ in HONEST.values()),
}
TYPESET = [
    "a<b",
    r"\frac{a_1}{b_1} < \sqrt{d_k}",
    r"\sum_i a_i \\ = 1",
    r"\begin{align} a &= b \\ c &= d \end{align}",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
]
ATTACKS = ("links", "html", "formulas")
BLOCK = "div[style*='contain: paint']"
# Everything that an answer could leave in a page that acts, wherever it ended up.
ACTIVE = """block => [...block.querySelectorAll("*")].filter(element =>
    ["SCRIPT", "IMG", "SVG", "IFRAME", "OBJECT", "EMBED", "FORM", "STYLE", "LINK", "BASE", "META", "INPUT"].includes(
        element.tagName.toUpperCase())
    && !/^math\\/tex/.test(element.type) && !element.closest(".MathJax, .MathJax_Preview, mjx-container")
    || [...element.attributes].some(attribute => attribute.name.startsWith("on"))
    || /^\\s*(javascript|data|vbscript|file|blob):/i.test(element.href || "")
).map(element => element.outerHTML)"""
CLICK_EVERYTHING = """block => block.querySelectorAll("*").forEach(element => {
    for (const name of ["mouseover", "focus", "click"])
        element.dispatchEvent(new MouseEvent(name, {bubbles: true, cancelable: true, view: window}))
})"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def course(released_lab, tmp_path_factory) -> Classroom:
    """A class whose answers are the corpus, filed and with feedback."""
    root = Path(shutil.copytree(released_lab.root, tmp_path_factory.mktemp("browser") / "lab"))
    shutil.copy(CONFIG, root)
    classroom = Classroom(Lab(root))
    for student, answer in ANSWERS.items():
        classroom.file(classroom.graded(classroom.submission(student, answer=answer), passes=()))
    generate_feedback(classroom.lab, [STAGE])
    return classroom


@pytest.fixture(scope="module")
def formgrader(course, tmp_path_factory) -> Iterator[Formgrader]:
    server = Formgrader(course.lab, tmp_path_factory.mktemp("jupyter"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


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


@pytest.fixture
def visit(browser, formgrader) -> Iterator[Visit]:
    visit = Visit(browser, formgrader.url)
    yield visit
    visit.close()


def graded_page(formgrader: Formgrader, student: str) -> str:
    """The address of formgrader's page of one student."""
    entries = json.loads(formgrader.get(f"api/submitted_notebooks/{STAGE}/{MODULE}"))
    (submission,) = (entry["id"] for entry in entries if entry["student"] == student)
    return formgrader.address(f"submissions/{submission}/")


def feedback_page(course: Classroom, student: str) -> str:
    """The address of the file that nbgrader writes for a student."""
    return (step_folder(course.lab, "feedback") / student / STAGE / f"{MODULE}.html").as_uri()


def live_notebook(course: Classroom, formgrader: Formgrader, student: str) -> str:
    path = step_folder(course.lab, "autograded") / student / STAGE / f"{MODULE}.ipynb"
    return f"{formgrader.url}lab/workspaces/{student}/tree/{path.relative_to(course.lab.root).as_posix()}"


@pytest.mark.parametrize("student", ATTACKS)
@pytest.mark.parametrize("where", ["formgrader", "feedback", "jupyterlab"])
def test_no_attack_runs_or_loads_anything(course, formgrader, visit, student, where):
    if where == "formgrader":
        answer = visit.open(graded_page(formgrader, student))
    elif where == "feedback":
        answer = visit.open(feedback_page(course, student))
    else:
        answer = visit.open(live_notebook(course, formgrader, student), ".jp-MarkdownOutput:has-text('evil.example')")
    assert visit.happened == []
    assert answer.evaluate(ACTIVE) == []
    visit.click_everything(answer)
    # Links to the web open in a tab of their own, which is stopped here.
    assert [event for event in visit.happened if not event.startswith("https://evil.example/")] == []


@pytest.mark.parametrize("where", ["formgrader", "feedback"])
def test_honest_answers_are_shown_as_written(course, formgrader, visit, where):
    answer = visit.open(graded_page(formgrader, "honest") if where == "formgrader" else feedback_page(course, "honest"))
    assert visit.happened == []
    formulas = answer.locator("script[type^='math/tex']").evaluate_all("all => all.map(script => script.textContent)")
    assert [" ".join(formula.split()) for formula in formulas] == TYPESET
    text = " ".join(answer.evaluate("block => block.textContent").split())
    for written, shown, _ in HONEST.values():
        words = " ".join((shown or written).split())
        if "$" not in words.replace('"$y$"', "") and "begin" not in words:
            assert words in text
    assert answer.locator(".MathJax").count() == len(formulas)
    assert answer.locator(".MathJax_Error, .merror").count() == 0
    assert answer.locator("table td code").first.inner_text() == "x<y"
