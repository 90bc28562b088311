"""The class page of a simulated class in Chromium: by keyboard, on a narrow screen, and by axe-core's rules.

The tests need Chromium. The rules need the npm package axe-core: the variable ``AXE_CORE`` names its ``axe.min.js``,
otherwise ``npm`` fetches it. Run them with ``pytest -m slow``.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring.simulated_class import simulated_class
from autograder.course.lab import Lab
from autograder.feedback.claims import Claim
from autograder.feedback.pages import statistics_of, write_class_page
from autograder.integrations.grades import Grade

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE_CORE = "axe-core@4.14.1"
STUDENTS = [f"student{number:03}" for number in range(60)]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lab = Lab.find(Path(__file__).parents[3])
    reports = simulated_class(lab.stages(), STUDENTS)
    by_hand = Grade(student=STUDENTS[0], stage=reports[0].stage, raw=5.0, possible=80.0, by_hand=1.0, waits=True)
    statistics = statistics_of(lab, reports, [by_hand])
    pages = {student: f"students/{student}.html" for student in STUDENTS[:3]}
    return write_class_page(tmp_path_factory.mktemp("page"), statistics, pages, [Claim(STUDENTS[1], 1.0, 0.2)])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def opened(chromium: Any, page_file: Path, **more: Any) -> Any:
    """The page in a tab; anything that it loads or that fails in it is an error."""
    tab = chromium.new_context(reduced_motion="reduce", **more).new_page()
    tab.happened = []
    tab.on("console", lambda message: tab.happened.append(message.text))
    tab.on("pageerror", lambda error: tab.happened.append(str(error)))
    tab.on("request", lambda request: tab.happened.append(request.url))
    tab.goto(page_file.as_uri())
    assert tab.happened == [page_file.as_uri()]
    return tab


COLUMN = """([part, index]) => [...document.querySelectorAll(`#${part} tbody tr:not([hidden])`)].map(
    row => row.cells[index].textContent.trim())"""


def column(tab: Any, part: str, index: int) -> list[str]:
    """The texts of a column in the rows that are shown."""
    texts: list[str] = tab.evaluate(COLUMN, [part, index])
    return texts


def test_tables_are_sorted_and_filtered_by_keyboard(chromium, page_file):
    tab = opened(chromium, page_file)
    head = tab.locator("#checks thead button", has_text="Passed")
    shares = [float(text.split()[0]) for text in column(tab, "checks", 4)]
    head.focus()
    tab.keyboard.press("Enter")
    assert [float(text.split()[0]) for text in column(tab, "checks", 4)] == sorted(shares, reverse=True)
    tab.keyboard.press("Enter")
    assert [float(text.split()[0]) for text in column(tab, "checks", 4)] == sorted(shares)
    assert tab.locator("#checks th[aria-sort]").get_attribute("aria-sort") == "ascending"
    tab.locator("#scores input").focus()
    tab.keyboard.type("STUDENT00")
    assert column(tab, "scores", 0) == STUDENTS[:10]
    assert tab.locator("#scores output").inner_text() == "10 of 60 rows"
    tab.locator("#scores thead button", has_text="Student").click()
    tab.locator("#scores thead button", has_text="Student").click()
    assert column(tab, "scores", 0) == STUDENTS[:10][::-1]
    tab.locator("#scores input").fill("")
    tab.locator("#scores thead button", has_text="Days late").click()
    days = column(tab, "scores", tab.locator("#scores thead th").count() - 2)
    numbers = [text for text in days if text != "–"]
    assert numbers == sorted(numbers, key=int, reverse=True)
    assert days == numbers + ["–"] * (len(days) - len(numbers)), "dashes come last"


@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_is_not_wider_than_the_screen(chromium, page_file, width):
    tab = opened(chromium, page_file, viewport={"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") == width


def test_everything_is_printed(chromium, page_file):
    tab = opened(chromium, page_file, viewport={"width": 760, "height": 1100})  # A4 between narrow margins
    tab.emulate_media(media="print")
    assert tab.evaluate("document.documentElement.scrollWidth") == 760
    assert tab.locator(".filters").first.is_hidden()
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("details:not([open])").count() == 0
    heights = tab.evaluate("[...document.querySelectorAll('.scroll')].map(box => box.scrollHeight - box.clientHeight)")
    assert max(heights) <= 1


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's script."""
    if given := os.environ.get("AXE_CORE"):
        return Path(given).read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to fetch axe-core, and AXE_CORE does not name its axe.min.js")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run([npm, "install", "--no-save", "--silent", AXE_CORE], cwd=folder, timeout=120, check=False)
    if done.returncode:
        pytest.skip("npm cannot fetch axe-core, and AXE_CORE does not name its axe.min.js")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(chromium, page_file, axe, scheme, width):
    size = {"width": width, "height": 900}
    tab = opened(chromium, page_file, color_scheme=scheme, viewport=size, bypass_csp=True)
    tab.add_style_tag(content=".part { content-visibility: visible !important; }")
    tab.add_script_tag(content=axe)
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => result.violations)")
    assert [(each["impact"], each["id"], each["nodes"][0]["html"]) for each in found] == []
