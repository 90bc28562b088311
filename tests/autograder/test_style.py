"""The texts of the lab and the grader keep to docs/style.md: no refused word, no refused name."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Sheets keep their voice; the style guide quotes the words it refuses, and this file the names.
FREE = ("lab.md", "docs/style.md", "tests/autograder/test_style.py")
PYTHON = ("autograder", "solutions", "tests", "benchmarks", "tools", "data")
PROSE = ("*.md", "docs/**/*.md", "data/*/README.md", "tests/**/*.md", "solutions/student_repository/**/*.md")
SETTINGS = ("grading.yml", "solutions/*/*.yml", "Makefile", "pyproject.toml", ".github/**/*.yml", ".ci/*")
TEMPLATES = ("autograder/**/*.html", "autograder/**/*.txt", "autograder/**/*.yml")
# Names matter where the next engineer reads the product; a test may call its subject `one`.
NAMES_TOO = ("autograder", "solutions", "benchmarks", "tools")
REFUSED_NAMES = {"told", "one", "ones", "held", "whoever"}


@dataclass(frozen=True)
class Text:
    """A line of English, with its file and line number."""

    file: str
    line: int
    words: str


def refused_words() -> re.Pattern[str]:
    """The regular expressions in the second column of the table in docs/style.md."""
    table = re.findall(r"^\| [^|]+ \| (.+) \|$", (ROOT / "docs" / "style.md").read_text(encoding="utf-8"), re.MULTILINE)
    patterns = [pattern.replace(r"\|", "|") for cell in table for pattern in re.findall(r"`([^`]+)`", cell)]
    assert len(patterns) > 20
    return re.compile("|".join(rf"(?:(?<!\w){pattern}(?!\w))" for pattern in patterns), re.IGNORECASE)


def files(root: Path, *patterns: str) -> list[Path]:
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return sorted(path for path in found if not path.relative_to(root).as_posix().endswith(FREE))


def python_files(root: Path, *places: str) -> list[Path]:
    return files(root, *(place if place.endswith(".py") else f"{place}/**/*.py" for place in places))


def python_texts(root: Path, path: Path) -> Iterator[Text]:
    """Docstrings, comments and every string of more than one word."""
    name = path.relative_to(root).as_posix()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
            yield from lines_of(name, token.string, token.start[0])


def lines_of(name: str, text: str, first: int = 1) -> Iterator[Text]:
    """The lines of a text, without what stands in backticks: code is not English."""
    for number, line in enumerate(re.sub(r"``[^`\n]+``|`[^`\n]+`", "", text).split("\n"), first):
        yield Text(name, number, line)


def all_texts(root: Path) -> Iterator[Text]:
    for path in python_files(root, *PYTHON):
        yield from python_texts(root, path)
    for path in files(root, *PROSE, *SETTINGS, *TEMPLATES):
        text = re.sub(
            r"^```.*?^```", lambda code: "\n" * code[0].count("\n"), path.read_text(encoding="utf-8"), flags=re.M | re.S
        )
        yield from lines_of(path.relative_to(root).as_posix(), text)


def refused(root: Path) -> list[str]:
    """Every refused word: file, line, word, text."""
    pattern = refused_words()
    return [
        f"{text.file}:{text.line}: {match[0]!r} in: {text.words.strip()}"
        for text in all_texts(root)
        for match in pattern.finditer(text.words)
    ]


def refused_names(root: Path) -> list[str]:
    found = []
    for path in python_files(root, *NAMES_TOO):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else None
            if name in REFUSED_NAMES:
                found.append(f"{path.relative_to(root)}:{node.lineno}: `{name}` names no thing")
    return found


def test_no_text_contains_a_refused_word():
    assert refused(ROOT) == []


def test_no_variable_has_a_name_that_names_nothing():
    assert refused_names(ROOT) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The model foretells the next token.", "foretells"),
        ("a chance of one half", "chance"),
        ("It is no module.", "is no module"),
        ("Whoever looks ahead", "Whoever"),
        ("the first ones count", "ones"),
        ("the error that is asked for", "asked for"),
    ],
)
def test_a_refused_word_is_found(text, word):
    assert [match[0] for match in refused_words().finditer(text)] == [word]


@pytest.mark.parametrize(
    "text",
    ["There is no module of that name.", "It is no longer used.", "torch.ones(3) and np.ones_like", "recommended"],
)
def test_plain_english_passes(text):
    assert refused_words().search(text) is None


def test_the_tests_read_every_kind_of_text():
    """A pattern that matches no file would let everything pass."""
    for pattern in (*PROSE, *SETTINGS, *TEMPLATES):
        assert files(ROOT, pattern), pattern
    for place in PYTHON:
        assert python_files(ROOT, place), place
