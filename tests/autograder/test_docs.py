"""The documentation: every page is in the index, links lead somewhere, and quotations match the sources."""

import re
from pathlib import Path

import pytest

from autograder.course.lab import Lab
from tools.validity import read_reasons

LAB = Lab.find(Path(__file__).parent)
ROOT = LAB.root
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "tests" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`[^`]*`")
MARKDOWN_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
HTML_LINK = re.compile(r"""(?:href|src)="([^"]+)\"""")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def links(page: Path) -> list[str]:
    """The relative links of a page, code left out."""
    text = CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))
    found = [*MARKDOWN_LINK.findall(CODE_SPAN.sub("code", text)), *HTML_LINK.findall(text)]
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, by GitHub's rule."""
    text = CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_the_index_links_every_page():
    linked = {(INDEX.parent / link.partition("#")[0]).resolve() for link in links(INDEX)}
    assert sorted(map(name_of, set(DOCS.rglob("*.md")) - {INDEX} - linked)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_anchors(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), f"{name_of(page)} links to {link}, outside the repository"
        assert target.exists(), f"{name_of(page)} links to {link}, which does not exist"
        if anchor:
            assert anchor in anchors(target), f"{name_of(page)} links to {link}, a heading that does not exist"


def test_links_and_anchors_are_found(tmp_path):
    page = tmp_path / "page.md"
    text = '# What does `a` take?\n[x](a.md#b) `[y](b.md)` [`z`](c.md) <img src="d.png"> [w](https://e.org)\n'
    page.write_text(f"{text}```\n# no\n```\n", encoding="utf-8")
    assert links(page) == ["a.md#b", "c.md", "d.png"]
    assert anchors(page) == {"what-does-a-take"}


def test_the_threat_model_names_tests_that_exist():
    rows = [row for row in (DOCS / "threat-model.md").read_text(encoding="utf-8").splitlines() if row[:2] == "| "]
    cells = [row.rsplit("|", 2)[1].strip() for row in rows if "held by" not in row and "bounded by" not in row]
    named = [name for cell in cells for name in re.findall(r"`(tests/[^`]+)`", cell)]
    assert len(cells) > 20
    assert [cell for cell in cells if "`tests/" not in cell and not cell.startswith("no test")] == []
    for path, _, test in (name.partition("::") for name in named):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {test or 'test_'}" in text, f"{path} has no {test}"


@pytest.mark.parametrize("stage", LAB.stages(), ids=lambda stage: stage.id)
def test_reasons_for_survivors_quote_the_reference(stage):
    reference = {line.strip() for line in stage.reference_source().splitlines()}
    quoted = [
        line[2:].strip() for diff in read_reasons(LAB, stage.id) for line in diff.splitlines() if line[:2] == "- "
    ]
    assert quoted
    assert [line for line in quoted if line not in reference] == []
