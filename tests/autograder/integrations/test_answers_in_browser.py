"""Students' answers in a real browser: formgrader's page, nbgrader's feedback, and the notebook in JupyterLab.

No answer runs, asks another machine for anything, or leaves a link that runs; honest answers are shown as they were
written, with their formulas typeset. The test needs Chromium. Run it with ``pytest -m slow``.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from answer_corpus import FORMULAS, HONEST, HTML, LINKS
from browser_visit import Visit, needs_browser
from classroom import Classroom
from formgrader import Formgrader, graded_page
from tiny_lab import MODULE, STAGE

from autograder.course.lab import Lab
from autograder.integrations.nbgrader import generate_feedback
from autograder.integrations.nbgrader.course import step_folder

CONFIG = Path(__file__).parents[3] / "nbgrader_config.py"
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
# Everything that an answer could leave in a page that acts, wherever it ended up.
ACTIVE = """block => [...block.querySelectorAll("*")].filter(element =>
    ["SCRIPT", "IMG", "SVG", "IFRAME", "OBJECT", "EMBED", "FORM", "STYLE", "LINK", "BASE", "META", "INPUT"].includes(
        element.tagName.toUpperCase())
    && !/^math\\/tex/.test(element.type) && !element.closest(".MathJax, .MathJax_Preview, mjx-container")
    || [...element.attributes].some(attribute => attribute.name.startsWith("on"))
    || /^\\s*(javascript|data|vbscript|file|blob):/i.test(element.href || "")
).map(element => element.outerHTML)"""

pytestmark = [pytest.mark.slow, needs_browser]


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


@pytest.fixture
def visit(browser, formgrader) -> Iterator[Visit]:
    visit = Visit(browser, formgrader.url)
    yield visit
    visit.close()


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
