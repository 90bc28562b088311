"""``promises.yml`` beside a reference: the sentences of its docstrings and the checks that hold them.

Students write their code against the docstrings, so the hidden tests must hold every sentence of them. An author lists
the sentences, each with a check and the mistake that breaks it; ``verify`` fails if a sentence is missing, or if the
mistake does not lose the check.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from autograder.course.config import Text
from autograder.course.lab import StageFolders
from autograder.course.mistakes import Mistake
from autograder.course.python_source import parse_python
from autograder.course.yaml_source import ConfigError, Keys, YamlSource, nearest

FORMAT_VERSION = 1

# A section head at the left margin, `Args:`, and the name of an argument or an exception below such a head.
_HEAD = re.compile(r"([A-Z][a-z]+):(?= |$)")
_NAME = re.compile(r" {4}\*{0,2}\w+(?:, \*{0,2}\w+)*:")
_SECTIONS_OF_NAMES = ("Args", "Attributes", "Raises")
_COVERED = "\0"
_LONGEST_QUOTE = 100


class Promise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sentence of a docstring.

    Attributes:
        says: part of the docstring, word by word; line breaks and indentation do not count.
        check: the check of the exercise that holds the sentence.
        mistake: the named mistake that breaks the sentence and loses the check.
        because: the reason why no check can hold the sentence, instead of ``check`` and ``mistake``.
    """

    says: Text
    check: Text | None = None
    mistake: Text | None = None
    because: Text | None = None


class Promises(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of ``promises.yml``: the sentences of each exercise's docstrings."""

    format_version: int
    exercises: dict[str, tuple[Promise, ...]]


def load_promises(path: Path) -> tuple[Promises, YamlSource]:
    """Read ``promises.yml`` and return its content, with the source that names the line of each entry.

    Raises:
        ConfigError: the file cannot be read, is not YAML or has another version, a key is unknown, or a value is
            invalid. The message starts with the file and the line.
    """
    source = YamlSource(path, name="/".join(path.parts[-3:]))
    promises = source.convert(Promises)
    if promises.format_version != FORMAT_VERSION:
        problem = f"{promises.format_version} is unknown; this program reads {FORMAT_VERSION}"
        raise source.error(("format_version",), problem)
    return promises, source


def promise_problems(stage: StageFolders, mistakes: Iterable[Mistake]) -> list[str]:
    """Return where ``promises.yml`` contradicts the docstrings, ``grading.yml`` or the mistakes, a line each.

    Raises:
        LabError: the stage has no reference.
    """
    try:
        promises, source = load_promises(stage.promises)
    except ConfigError as error:
        return [str(error)]
    docstrings = exercise_docstrings(stage)
    by_id = {mistake.id: mistake for mistake in mistakes}
    problems = [
        source.error(("exercises", name), f"grading.yml has no exercise of this name{nearest(name, docstrings)}")
        for name in promises.exercises
        if name not in stage.spec.exercises
    ]
    for exercise in stage.spec.exercises:
        entries = promises.exercises.get(exercise, ())
        for keys, problem in (
            *_coverage_problems(exercise, entries, docstrings.get(exercise, {})),
            *_entry_problems(exercise, entries, stage, by_id),
        ):
            problems.append(source.error(("exercises", exercise, *keys), problem))
    return [str(problem) for problem in problems]


def exercise_docstrings(stage: StageFolders) -> dict[str, dict[str, str]]:
    """Return the docstrings that students read about each exercise: of the function, or of the class and its methods.

    Raises:
        LabError: the stage has no reference.
    """
    found: dict[str, dict[str, str]] = {}
    for node in parse_python(stage.reference_source()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in stage.spec.exercises:
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            names = {node.name: node, **{f"{node.name}.{part.name}": part for part in methods}}
            found[node.name] = {name: text for name, part in names.items() if (text := ast.get_docstring(part))}
    return found


def uncovered(docstring: str, parts: Iterable[str]) -> list[str]:
    """Return the texts of a docstring that no part covers, in order; heads and names of arguments need no cover.

    Args:
        docstring: with the indentation of its lines, but not of itself.
        parts: texts from it; white space counts as one space.
    """
    text, cover = _joined(docstring)
    for part in parts:
        for match in _occurrences(part, text):
            cover = cover[: match.start()] + _COVERED * len(match[0]) + cover[match.end() :]
    rests = (rest.strip() for rest in re.split(f"{_COVERED}+", cover))
    return [rest for rest in rests if any(letter.isalnum() for letter in rest)]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of ``promises.yml``, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "promises.yml",
        **msgspec.json.schema(Promises),
    }


def _coverage_problems(
    exercise: str, entries: tuple[Promise, ...], docstrings: Mapping[str, str]
) -> Iterator[tuple[Keys, str]]:
    """Yield each sentence without an entry, and each entry without a sentence."""
    if docstrings and not entries:
        yield (), "the exercise has docstrings, but no entry here"
        return
    for name, docstring in docstrings.items():
        for rest in uncovered(docstring, (entry.says for entry in entries)):
            yield (), f"no entry covers this text of the docstring of {name}: {_quote(rest)}"
    texts = [_joined(docstring)[0] for docstring in docstrings.values()]
    sentences = [sentence for text in texts for sentence in re.split(r"(?<=[.:;]) ", text)]
    for index, entry in enumerate(entries):
        if not any(True for text in texts for _ in _occurrences(entry.says, text)):
            problem = f"no docstring of {exercise} says this: {_quote(entry.says)}"
            yield (str(index), "says"), problem + nearest(entry.says, sentences)


def _entry_problems(
    exercise: str, entries: tuple[Promise, ...], stage: StageFolders, mistakes: Mapping[str, Mistake]
) -> Iterator[tuple[Keys, str]]:
    """Yield each entry that names neither a check with a mistake that loses it nor a reason."""
    owners = {check.id: check.exercise for check in stage.spec.checks}
    for index, entry in enumerate(entries):
        here = (str(index),)
        if entry.because and (entry.check or entry.mistake):
            yield here, "give either `check` and `mistake`, or `because`, not all of them"
        elif not entry.because and not (entry.check and entry.mistake):
            yield here, "give `check` and `mistake`, or `because` if no check can hold the sentence"
        elif entry.check and entry.mistake:
            if entry.check not in owners:
                own = [check for check, owner in owners.items() if owner == exercise]
                yield (*here, "check"), f"grading.yml has no check `{entry.check}`{nearest(entry.check, own)}"
            elif owners[entry.check] != exercise:
                yield (*here, "check"), f"`{entry.check}` is a check of {owners[entry.check]}, not of {exercise}"
            if entry.mistake not in mistakes:
                names = [name for name, mistake in mistakes.items() if mistake.exercise == exercise]
                yield (
                    (*here, "mistake"),
                    f"{stage.mistakes.name} has no mistake `{entry.mistake}`{nearest(entry.mistake, names)}",
                )
            elif entry.check in owners and entry.check not in mistakes[entry.mistake].fails:
                problem = f"`{entry.mistake}` does not lose `{entry.check}` according to {stage.mistakes_lock.name}"
                yield (*here, "mistake"), problem


def _joined(docstring: str) -> tuple[str, str]:
    """Return a docstring in one line, and the same with heads and names of arguments marked as covered."""
    words, cover, section = [], [], ""
    for line in docstring.splitlines():
        if head := _HEAD.match(line):
            section = head[1]
        free = head or (_NAME.match(line) if section in _SECTIONS_OF_NAMES else None)
        marked, rest = (free[0].split(), line[free.end() :]) if free else ([], line)
        words.append(" ".join(line.split()))
        cover.append(" ".join([*(_COVERED * len(word) for word in marked), *rest.split()]))
    return " ".join(filter(None, words)), " ".join(filter(None, cover))


def _occurrences(part: str, text: str) -> Iterator[re.Match[str]]:
    """Yield where a part occurs in a joined docstring, as complete words."""
    return re.finditer(rf"(?<!\w){re.escape(' '.join(part.split()))}(?!\w)", text)


def _quote(text: str) -> str:
    short = " ".join(text.split())
    return f"“{short if len(short) <= _LONGEST_QUOTE else short[: _LONGEST_QUOTE - 1] + '…'}”"
