"""Every lab sheet as students see it: opened in JupyterLab in a real browser, and run from top to bottom.

The test needs Chromium and writes screenshots to ``build/sheets``, for review. Run it with ``pytest -m slow``.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter

from autograder.course.lab import Lab
from autograder.release import strip_solutions
from autograder.release.solutions import SOLUTIONS_FILE, solutions_files
from lab.notebook import PRINT_STYLE

LAB = Lab.find(Path(__file__).parent)
STAGES = [stage.id for stage in LAB.stages()]
SCREENSHOTS = LAB.root / "build" / "sheets"
SET_UP = ("Set-up: run this cell first", "%load_ext autoreload")  # the first cells of a sheet, by a line of each
MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {
        "windowingMode": "none"
    },  # the page contains all cells, not only the visible cells
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false"},  # no dialog covers the sheet
}
RUN_TIMEOUT = 600_000  # milliseconds
# The prompt of a waiting cell has a star instead of a number. Without a star, all cells have run or a cell has failed.
PROMPTS = (
    '[...document.querySelectorAll(".jp-NotebookPanel .jp-CodeCell .jp-InputPrompt")].map(prompt => prompt.textContent)'
)
CUT_OFF = "parts => parts.filter(part => part.clientWidth && part.scrollWidth > part.clientWidth).length"
HAS_BEGUN = f"() => {PROMPTS}.some(text => /[*\\d]/.test(text))"
IS_DONE = f"() => !{PROMPTS}.some(text => text.includes('*'))"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student's repository with all exercises solved."""
    target = tmp_path_factory.mktemp("sheets") / "lab"
    shutil.copytree(LAB.root / "assignments", target)
    for stage in LAB.stages():
        source = stage.reference_source()
        assert source != strip_solutions(source, stage.id)
        lines = [line for line in source.splitlines(keepends=True) if line.strip() not in MARKERS]
        (target / stage.id / f"{stage.spec.module}.py").write_text("".join(lines), encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def jupyterlab(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab that serves the repository until the tests end."""
    folder = tmp_path_factory.mktemp("jupyter")
    for name, setting in SETTINGS.items():
        file = folder / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(setting), encoding="utf-8")
    token = secrets.token_hex(16)
    options = ("--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={home}")
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", *options, f"--IdentityProvider.token={token}"],
            env={
                **os.environ,
                "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                "JUPYTER_CONFIG_DIR": str(folder / "config"),
                "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
        )
    try:
        yield f"{_address(server, log)}/{{path}}?token={token}"
    finally:
        server.terminate()
        server.wait(60)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address of the server, read from its log."""
    while server.poll() is None:
        if found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token", log.read_text(encoding="utf-8")):
            return found[1]
        try:
            server.wait(0.3)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def browser(jupyterlab: str) -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page wide enough for a sheet."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    yield page
    page.close()


@pytest.mark.parametrize("stage_id", STAGES)
def test_a_sheet_runs_to_the_end(page, jupyterlab, home, stage_id):
    module = LAB.stage(stage_id).spec.module
    _open(page, jupyterlab, home, stage_id, module)
    cells = _run_all(page, home / stage_id / f"{module}.ipynb")
    _keep_screenshots(page, stage_id)

    outputs = [output for cell in cells for output in cell["outputs"]]
    assert _errors(cells) == []
    assert all(cell["execution_count"] is not None for cell in cells if "".join(cell["source"]).strip())
    shown = ["".join(output.get("data", {}).get("text/plain", "")) for output in outputs]
    counts = [re.search(r"(\d+) of (\d+) tests pass", text) for text in shown]
    assert [count[0] for count in counts if count and count[1] != count[2]] == []
    assert any(counts)
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert figures
    assert page.locator(".jp-OutputArea img").count() >= len(figures)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("def broken(:", "invalid syntax: def broken(:"),
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
    ],
)
def test_a_broken_stage_2_is_told_where_it_is_met(page, jupyterlab, home, fault, message):
    """Work in the sheets of stages 2, 3 and 4 while stage 2 cannot be imported, and after it is fixed."""
    module = home / "2_attention" / "attention.py"
    text = module.read_text(encoding="utf-8")
    _open(page, jupyterlab, home, "2_attention", "attention")
    for first_line in SET_UP:
        _run_cell(page, first_line)
    assert "4 of 4 tests pass" in _run_cell(page, "%check softmax")
    try:
        module.write_text(f"{text}\n\n{fault}\n", encoding="utf-8")
        place = f"2_attention/attention.py, line {len(text.splitlines()) + 3}"
        shown = _run_cell(page, "%check softmax")
        assert place in shown
        assert message in shown
        assert "Traceback" not in shown
        _keep_widths(page, "broken-2", "%check softmax")
        _open(page, jupyterlab, home, "3_multihead", "multihead")
        _run_cell(page, SET_UP[0])
        shown = _run_cell(page, "%check split_heads")
        assert place in shown
        assert "lab hint" not in shown
        _keep_widths(page, "broken-3", "%check split_heads")
        _open(page, jupyterlab, home, "4_positions", "positions")  # it does not import stage 2
        assert _errors(_run_all(page, home / "4_positions" / "positions.ipynb")) == []
        _open(page, jupyterlab, home, "3_multihead", "multihead")
    finally:
        module.write_text(text, encoding="utf-8")
    for first_line in SET_UP:
        _run_cell(page, first_line)
    assert "2 of 2 tests pass" in _run_cell(page, "%check split_heads")
    module.write_text(
        text.replace("query.shape[-1])\n    scores", "query.shape[-1]) * 2\n    scores"), encoding="utf-8"
    )
    try:
        _open(page, jupyterlab, home, "2_attention", "attention")
        for first_line in SET_UP:
            _run_cell(page, first_line)
        shown = _run_cell(page, "%check scaled_dot_product_attention")
        _keep_widths(page, "wrong-2", "%check scaled_dot_product_attention")
        assert "yours: float32 (3, 2)" in shown
        assert "Stuck? In a terminal: lab hint scaled_dot_product_attention" in shown
    finally:
        module.write_text(text, encoding="utf-8")
    checks = json.loads((home / ".lab" / "progress.json").read_text(encoding="utf-8"))["checks"]
    assert checks["3_multihead/split_heads"]["passed"]
    assert not checks["2_attention/scaled_dot_product_attention"]["passed"]


def test_a_released_solution_is_folded_beside_the_students(page, jupyterlab, home):
    """One click shows both versions, side by side on a laptop; no line is cut off."""
    for name, file in solutions_files(LAB, ["2_attention"]).items():
        file.write(home / name)
    try:
        _open(page, jupyterlab, home, "2_attention", "attention")
        _run_cell(page, SET_UP[0])
        _run_cell(page, "%check blockwise_attention")
        cell = page.locator(".jp-NotebookPanel .jp-CodeCell", has_text="%check blockwise_attention").first
        folded = cell.locator("details")
        versions = folded.locator("pre")
        assert [version.is_visible() for version in versions.all()] == [False, False]
        folded.locator("summary").click()
        page.set_viewport_size({"width": 1280, "height": 1000})
        yours, ours = (version.bounding_box() for version in versions.all())
        assert (yours["y"], yours["x"] + yours["width"] <= ours["x"]) == (ours["y"], True)
        assert all(version.evaluate("pre => pre.scrollWidth <= pre.clientWidth") for version in versions.all())
        _keep_widths(page, "solution-2", "%check blockwise_attention")
    finally:
        (home / SOLUTIONS_FILE).unlink()


def test_a_sheet_on_paper_shows_whole_lines(page, tmp_path):
    """The style of the set-up cell wraps long lines of an exported sheet, and leaves the set-up out."""
    stage = LAB.stage(STAGES[-1])
    sheet = nbformat.read(LAB.root / "assignments" / stage.id / f"{stage.spec.module}.ipynb", as_version=4)
    set_up = next(cell for cell in sheet.cells if cell.source.startswith(f"# @title {SET_UP[0]}"))
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 with margins of one centimetre
    page.emulate_media(media="print")
    cut_off = []
    for style in ("", PRINT_STYLE):
        set_up.outputs = [nbformat.v4.new_output("display_data", {"text/html": style})]
        file = tmp_path / "sheet.html"
        file.write_text(HTMLExporter().from_notebook_node(sheet)[0], encoding="utf-8")
        page.goto(file.as_uri(), wait_until="domcontentloaded")
        cut_off.append(page.locator(".jp-CodeCell .highlight, .jp-CodeCell pre").evaluate_all(CUT_OFF))
        assert page.locator(".jp-CodeCell", has_text=SET_UP[0]).is_visible() == (not style)
    assert (cut_off[0] > 0, cut_off[1]) == (True, 0)


def _open(page: Any, jupyterlab: str, home: Path, stage_id: str, module: str) -> None:
    """Open a sheet as it is handed out, in a workspace of its own, and wait for its kernel."""
    shutil.copy(LAB.root / "assignments" / stage_id / f"{module}.ipynb", home / stage_id)
    name = f"{stage_id}-{secrets.token_hex(4)}"
    page.goto(jupyterlab.format(path=f"lab/workspaces/{name}/tree/{stage_id}/{module}.ipynb"), timeout=120_000)
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=120_000)
    page.get_by_text("(ipykernel) | Idle").wait_for(timeout=120_000)  # connected; cells run earlier are lost


def _run_all(page: Any, sheet: Path) -> list[dict[str, Any]]:
    """Run all cells of the open sheet and save it; return its code cells."""
    page.click('li.lm-MenuBar-item:has-text("Run")')
    page.click('li.lm-Menu-item[data-command="runmenu:run-all"]')
    page.wait_for_function(HAS_BEGUN, timeout=60_000)
    page.wait_for_function(IS_DONE, timeout=RUN_TIMEOUT)
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')", timeout=60_000)
    return [cell for cell in json.loads(sheet.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def _errors(cells: list[dict[str, Any]]) -> list[tuple[str, str]]:
    outputs = [output for cell in cells for output in cell["outputs"]]
    return [(output["ename"], output["evalue"]) for output in outputs if output["output_type"] == "error"]


def _run_cell(page: Any, line: str) -> str:
    """Run the cell with a line, and return its output."""
    cell = page.locator(".jp-NotebookPanel .jp-CodeCell", has_text=line).first
    cell.locator(".jp-InputPrompt").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(300)
    page.wait_for_function(IS_DONE, timeout=RUN_TIMEOUT)
    page.wait_for_timeout(300)
    return str(cell.locator(".jp-Cell-outputWrapper").inner_text())


def _keep_widths(page: Any, name: str, line: str) -> None:
    """Write screenshots of a cell at the widths of a laptop and of a phone."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.keyboard.press("Control+b")  # close the file browser, for which a phone has no room
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_timeout(500)
        page.locator(".jp-NotebookPanel .jp-CodeCell", has_text=line).first.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        page.screenshot(path=SCREENSHOTS / f"{name}-{width}.png")
    page.set_viewport_size({"width": 1200, "height": 1000})
    page.keyboard.press("Control+b")


def _keep_screenshots(page: Any, stage_id: str) -> None:
    """Write screenshots of the whole sheet, one screen each."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for old in SCREENSHOTS.glob(f"{stage_id}-*.png"):
        old.unlink()
    notebook = page.locator(".jp-NotebookPanel-notebook .jp-WindowedPanel-outer").last
    height, window = notebook.evaluate("element => [element.scrollHeight, element.clientHeight]")
    for number, top in enumerate(range(0, height, window)):
        notebook.evaluate("(element, top) => element.scrollTo(0, top)", top)
        page.wait_for_timeout(200)
        page.screenshot(path=SCREENSHOTS / f"{stage_id}-{number:02}.png")
