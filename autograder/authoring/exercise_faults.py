"""Where the files of a stage disagree about its exercises and checks: one list, before anything is judged.

``grading.yml`` decides. An author who adds or drops an exercise reads here every file that must follow.
"""

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from autograder.course.check_kinds import read_check_kinds
from autograder.course.check_locations import check_functions, parsed
from autograder.course.config import ConfigError
from autograder.course.exercise_texts import ExerciseText
from autograder.course.lab import Lab, LabError, StageFolders
from autograder.course.mistakes import lock_problems, read_catalogue
from autograder.course.promises import load_promises
from autograder.course.python_source import parse_python
from autograder.course.yaml_source import YamlSource
from autograder.release.errors import ReleaseError
from autograder.release.public_tests import selected_tests
from autograder.release.stubs import BEGIN

# A marked cell of a lab sheet: a fence with exercise="NAME", or a region with question="ID".
_CELL = re.compile(r'^(?:```|<!-- #region).*\b(exercise|question)="([^"]*)"', re.MULTILINE)

Inspection = Callable[[StageFolders], Iterator[str]]


def exercise_faults(lab: Lab, stages: Iterable[StageFolders], *, locks: bool = True) -> list[str]:
    """Return every disagreement of the stages' files with ``grading.yml``, one line each.

    Args:
        lab: the lab.
        stages: the stages to read. Files of later stages that import a dropped exercise are read too.
        locks: whether to read the lock files, which ``autograder verify --update`` writes.
    """
    inspections = [*_HAND_WRITTEN, *(_LOCK_FILES if locks else ())]
    return [
        fault
        for stage in stages
        for inspect in (*inspections, lambda stage: _imports(lab, stage))
        for fault in _explained(stage, inspect)
    ]


def missing_checks(stage: StageFolders) -> list[str]:
    """Return one line for each check of ``grading.yml`` without a hidden test: no submission could be judged."""
    found = _hidden_tests(stage)
    return [
        f"tests/hidden/{stage.id}: no hidden test `{check.id}`, which grading.yml lists under {check.exercise}"
        for check in stage.spec.checks
        if check.id not in found
    ]


def _explained(stage: StageFolders, inspect: Inspection) -> Iterator[str]:
    """Yield the faults; a file that cannot be read is a fault."""
    try:
        yield from inspect(stage)
    except (LabError, ConfigError, ReleaseError) as error:
        yield str(error).replace(f"{stage.root}/", "")
    except FileNotFoundError as error:
        yield f"{_short(stage, Path(error.filename))}: is missing"


def _reference(stage: StageFolders) -> Iterator[str]:
    """Yield each exercise that is not defined, and each solution that is neither an exercise nor a helper of one."""
    where, text = _short(stage, stage.reference), stage.reference_source()
    lines, tree = text.splitlines(), _tree(stage, stage.reference)
    definitions = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for name in sorted(_functions(stage) - definitions.keys()):
        yield f"{where}: does not define `{name}`"
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for name, node in definitions.items():
        is_solved = any(BEGIN in line for line in lines[node.lineno - 1 : node.end_lineno])
        if is_solved and name not in used and name not in stage.spec.exercises:
            yield f"{where}:{node.lineno}: grading.yml has no exercise `{name}`, and no other function uses it"


def _hidden_tests(stage: StageFolders) -> dict[str, str]:
    """Each hidden test of the stage, and the name of its file."""
    return {
        function.name: path.name
        for path in sorted(stage.hidden_tests.glob("test_*.py"))
        for function in check_functions(parsed(path))
    }


def _checks(stage: StageFolders) -> Iterator[str]:
    yield from missing_checks(stage)
    for check, file in _hidden_tests(stage).items():
        if check not in stage.spec.check_ids:
            yield f"tests/hidden/{stage.id}/{file}: grading.yml gives `{check}` no points"


def _texts(stage: StageFolders) -> Iterator[str]:
    yield from _differences(_short(stage, stage.exercises_file), _exercise_texts(stage), stage.spec.exercises)


def _exercise_texts(stage: StageFolders) -> dict[str, ExerciseText]:
    """The texts as the file has them, those of other exercises than the stage's included."""
    source = YamlSource(stage.exercises_file, name=_short(stage, stage.exercises_file))
    return source.convert(dict[str, ExerciseText])


def _promises(stage: StageFolders) -> Iterator[str]:
    promises, _ = load_promises(stage.promises)
    yield from _differences(_short(stage, stage.promises), promises.exercises, _functions(stage), stage)


def _mistakes(stage: StageFolders) -> Iterator[str]:
    where, catalogue = _short(stage, stage.mistakes), read_catalogue(stage)
    yield from _differences(where, catalogue, _functions(stage), stage)
    for mistake in (entry for entries in catalogue.values() for entry in entries):
        for check in sorted(mistake.must_fail - set(stage.spec.check_ids)):
            yield f"{where}: {mistake.id} must fail `{check}`, which grading.yml does not list"


def _alternatives(stage: StageFolders) -> Iterator[str]:
    for path in stage.alternatives:
        defined = _names(_tree(stage, path))
        for name in sorted(_functions(stage) - defined):
            yield f"{_short(stage, path)}: does not define `{name}`"


def _sheet(stage: StageFolders) -> Iterator[str]:
    where, cells = _short(stage, stage.sheet), _CELL.findall(stage.sheet.read_text(encoding="utf-8"))
    for kind, listed in (("exercise", stage.spec.exercises), ("question", stage.spec.questions)):
        marked = [name for marked_kind, name in cells if marked_kind == kind]
        for name in listed:
            if marked.count(name) != 1:
                yield f'{where}: {marked.count(name)} cells are marked {kind}="{name}", not one'
        for name in sorted(set(marked) - set(listed)):
            yield f'{where}: a cell is marked {kind}="{name}", but grading.yml has no {kind} of this name'


def _public_tests(stage: StageFolders) -> Iterator[str]:
    """Yield the fault of the public tests of those exercises that have a text."""
    texts = _exercise_texts(stage)
    selected_tests(stage, {name: texts[name].tests or name for name in stage.spec.exercises if name in texts})
    yield from ()


def _mistakes_lock(stage: StageFolders) -> Iterator[str]:
    entries = [entry for entries in read_catalogue(stage).values() for entry in entries]
    where = _short(stage, stage.mistakes_lock)
    yield from (f"{where}: {problem}" for problem in lock_problems(stage, entries))


def _checks_lock(stage: StageFolders) -> Iterator[str]:
    where, kinds = _short(stage, stage.checks_lock), read_check_kinds(stage)
    update = f"run `autograder verify --stage {stage.id} --update`"
    for check in sorted(stage.spec.code_checks - kinds.keys()):
        yield f"{where}: `{check}` is missing; {update}"
    for check in sorted(kinds.keys() - stage.spec.code_checks):
        yield f"{where}: `{check}` is not in grading.yml; {update}"


def _imports(lab: Lab, stage: StageFolders) -> Iterator[str]:
    """Yield each name that a later stage takes from the module, and that the reference does not define."""
    module, defined = stage.spec.module, _names(_tree(stage, stage.reference))
    for later in lab.stages():
        for path in (later.reference, *later.alternatives) if stage.id in later.spec.needs else ():
            for line, name in sorted(_taken_from(module, _tree(stage, path))):
                if name not in defined:
                    takes = f"takes `{name}` from {module}, which {_short(stage, stage.reference)} does not define"
                    yield f"{_short(stage, path)}:{line}: {takes}"


def _taken_from(module: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each use of a module's definition."""
    nodes = list(ast.walk(tree))
    imported = any(alias.name == module for node in nodes if isinstance(node, ast.Import) for alias in node.names)
    for node in nodes:
        match node:
            case ast.ImportFrom(module=str(name), names=names) if name == module:
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if imported and name == module:
                yield node.lineno, attribute


def _tree(stage: StageFolders, path: Path) -> ast.Module:
    try:
        return parse_python(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise LabError(f"{_short(stage, path)}:{error.lineno}: not Python: {error.msg}") from None


def _differences(
    where: str, found: Collection[str], expected: Collection[str], stage: StageFolders | None = None
) -> Iterator[str]:
    """Yield each exercise that a file lacks, and each that ``grading.yml`` does not have."""
    allowed = stage.spec.exercises if stage is not None else expected
    for name in expected:
        if name not in found:
            yield f"{where}: the exercise `{name}` of grading.yml is missing"
    for name in found:
        if name not in allowed:
            yield f"{where}: grading.yml has no exercise `{name}`"


def _functions(stage: StageFolders) -> set[str]:
    """The exercises that are functions or classes of the module, not files that students hand in."""
    return {name for name, exercise in stage.spec.exercises.items() if not exercise.attachments}


def _names(tree: ast.Module) -> set[str]:
    """All names that a module binds at its top level, also below an ``if``."""
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    defined = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return bound | imported | defined


def _short(stage: StageFolders, path: Path) -> str:
    return path.relative_to(stage.root).as_posix()


_HAND_WRITTEN: tuple[Inspection, ...] = (
    _reference,
    _texts,
    _checks,
    _promises,
    _mistakes,
    _alternatives,
    _sheet,
    _public_tests,
)
_LOCK_FILES: tuple[Inspection, ...] = (_mistakes_lock, _checks_lock)
