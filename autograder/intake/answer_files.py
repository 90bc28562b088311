"""Finds a stage's notebook, renamed or not, and every other file that may hold its answers."""

import re
from collections.abc import Iterator, Sequence

from autograder.intake.contents import Contents, Part, is_absent
from autograder.intake.locate import is_copy
from autograder.intake.notebooks import LARGEST_NOTEBOOK, NO_ANSWERS, Answers, read_answers, unread
from autograder.intake.refusals import RefusedError
from autograder.intake.special_files import is_exported_sheet, is_notebook, refuse_damaged
from autograder.intake.submission import StageFiles

_MOST_SHEETS = 5
_NOTEBOOK = re.compile(r"\.ipynb(\b|_)", re.IGNORECASE)
# A notebook that was exported or printed: a person can read its answers.
_DOCUMENT = re.compile(r"\.(html?|pdf|md|docx?|odt|rtf|tex|txt|pages)$", re.IGNORECASE)


def answers_of(contents: Contents, stage: StageFiles, module: tuple[Part, str] | None) -> Answers:
    """Read the answers of a stage from all files that may hold them.

    Args:
        contents: The hand-in.
        stage: The stage.
        module: The part and path of the stage's module; None if it is missing.
    """
    first, problem = _first(contents, stage)
    sheets = [*first, *_others(contents, stage, first)]
    answers = [_read(part, path, stage) for part, path in sheets[:_MOST_SHEETS]]
    if not any(answer.sheets for answer in answers):
        answers += [_document(part, path) for part, path in _documents(contents, stage)]
        answers += _in_module(module)
    if not answers and problem:
        answers = [unread(problem)]
    if not answers:
        return NO_ANSWERS
    return Answers(
        tuple(sheet for answer in answers for sheet in answer.sheets),
        tuple(dict.fromkeys(note for answer in answers for note in answer.notes)),
        tuple(dict.fromkeys(why for answer in answers for why in answer.unread)),
    )


def _first(contents: Contents, stage: StageFiles) -> tuple[list[tuple[Part, str]], str]:
    """The notebook by the rules for modules; else the reason if it is not just missing."""
    try:
        return [contents.find(stage, ".ipynb")], ""
    except RefusedError as error:
        return [], "" if is_absent(error) else error.refusal.message


def _others(contents: Contents, stage: StageFiles, first: Sequence[tuple[Part, str]]) -> Sequence[tuple[Part, str]]:
    """Copies of the notebook under other names; if there are none, other notebooks in the stage's folder."""
    wanted = f"{stage.module}.ipynb"
    copies, others = [], []
    for part, path in _files(contents):
        folder, _, name = path.rpartition("/")
        if (part, path) in first:
            continue
        if is_copy(name, wanted) or name.casefold() == f"{stage.module}.json".casefold():
            copies.append((part, path))
        elif _NOTEBOOK.search(name) and (stage.stage in folder.split("/") or stage.module in name.casefold()):
            others.append((part, path))
    return copies or ([] if first else others)


def _files(contents: Contents) -> Iterator[tuple[Part, str]]:
    for part in contents.parts:
        for path, entry in part.tree.items():
            if not entry.is_folder:
                yield part, path


def _read(part: Part, path: str, stage: StageFiles) -> Answers:
    name = part.shown(path)
    is_renamed = path.rpartition("/")[2] != f"{stage.module}.ipynb"
    try:
        raw = part.tree[path].read(LARGEST_NOTEBOOK)
        refuse_damaged(raw, name)
    except RefusedError as error:
        return unread(error.refusal.message)
    answers = read_answers(raw, name)
    if is_renamed and answers.sheets:
        return Answers(answers.sheets, (f"the notebook was found as {name}", *answers.notes), answers.unread)
    return answers


def _documents(contents: Contents, stage: StageFiles) -> Iterator[tuple[Part, str]]:
    for part, path in _files(contents):
        stem, suffix = _split(path)
        if _DOCUMENT.fullmatch(suffix) and is_copy(f"{stem}.ipynb", f"{stage.module}.ipynb"):
            yield part, path


def _split(path: str) -> tuple[str, str]:
    stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return stem, f"{dot}{suffix}"


def _document(part: Part, path: str) -> Answers:
    return unread(f"{part.shown(path)} was handed in and no notebook that can be read")


def _in_module(module: tuple[Part, str] | None) -> Sequence[Answers]:
    """The answers in a notebook that was saved, or exported, under the module's name."""
    if module is None:
        return []
    part, path = module
    try:
        raw = part.tree[path].read(LARGEST_NOTEBOOK)
    except RefusedError:
        return []
    if is_notebook(raw):
        return [read_answers(raw, part.shown(path))]
    if is_exported_sheet(raw):
        return [unread(f"{part.shown(path)} may hold the exported notebook, and there is no notebook that can be read")]
    return []
