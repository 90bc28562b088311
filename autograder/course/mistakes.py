"""Named mistakes: wrong solutions as students write them, one replacement in the reference each.

They have three uses: the report names the mistake that explains a failure, ``verify`` proves that
the hidden tests reject each mistake, and the class report counts them.

An author writes ``solutions/STAGE/mistakes.py``. The checks that each mistake loses are computed:
``autograder verify --update`` writes them to ``mistakes.lock.json``, and plain ``verify`` compares.
"""

import runpy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from autograder.course.lab import LabError, StageFolders
from autograder.course.lock_files import LockFile, encode_lock_file, read_lock_file

# What every mistake says that only a check of the device shows. Whichever tensor is on the CPU, the result is the same.
ON_THE_CPU = "a tensor is created on the CPU, whatever the device of the inputs"


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One wrong solution: the reference with each ``old`` text replaced by its ``new`` text.

    Attributes:
        id: unique in the stage; reports show it.
        says: completes "your output is what you get when …"; students read it.
        replace: pairs of ``old`` and ``new`` text; each ``old`` occurs exactly once in the reference.
        must_fail: checks that exist because of this mistake; ``verify`` refuses a lock file without them.
        named: False if outputs cannot identify the mistake: its result is random, never ends or
            equals that of another mistake. The diagnosis never names it.
        elsewhere: why it also loses checks of other exercises, if it does; empty for a mistake that costs its own
            exercise only.
        exercise: the exercise that the mistake belongs to; set by ``load_mistakes``.
        fails: the checks that this mistake loses, no more and no fewer; set by ``load_mistakes``.
    """

    id: str
    says: str
    replace: tuple[tuple[str, str], ...]
    must_fail: frozenset[str] = frozenset()
    named: bool = True
    elsewhere: str = ""
    exercise: str = ""
    fails: frozenset[str] = frozenset()

    def apply(self, reference: str) -> str:
        """Return the text of the wrong solution.

        Raises:
            LabError: an ``old`` text does not occur exactly once in the reference.
        """
        text = reference
        for old, new in self.replace:
            count = text.count(old)
            if count != 1:
                raise LabError(f"mistake {self.id}: the text to replace occurs {count} times, not once: {old!r}")
            text = text.replace(old, new)
        return text


def mistake(
    mistake_id: str,
    says: str,
    *texts: str,
    must_fail: Iterable[str] = (),
    named: bool = True,
    elsewhere: str = "",
) -> Mistake:
    """Write one entry of a catalogue.

    Args:
        mistake_id: unique in the stage.
        says: completes "your output is what you get when …".
        texts: old text, new text, old text, new text and so on.
        must_fail: checks that exist because of this mistake.
        named: whether outputs can identify the mistake.
        elsewhere: why it also loses checks of other exercises, if it does.

    Raises:
        ValueError: ``texts`` are not pairs.
    """
    if not texts or len(texts) % 2:
        raise ValueError(f"mistake {mistake_id}: give pairs of old and new text, not {len(texts)} texts")
    pairs = tuple(zip(texts[::2], texts[1::2], strict=True))
    checks = frozenset(must_fail)
    return Mistake(id=mistake_id, says=says, replace=pairs, must_fail=checks, named=named, elsewhere=elsewhere)


def load_mistakes(stage: StageFolders) -> tuple[Mistake, ...]:
    """Read the catalogue of a stage, in its order, with the checks that its lock file records.

    Checks that ``grading.yml`` no longer lists are left out: ``lock_problems`` reports them.

    Raises:
        LabError: a file is missing or cannot be read, an id is used twice, or an exercise is unknown.
    """
    lock = read_lock(stage)
    known = frozenset(stage.spec.check_ids)
    mistakes: dict[str, Mistake] = {}
    for exercise, entries in read_catalogue(stage).items():
        if exercise not in stage.spec.exercises:
            raise LabError(f"{stage.mistakes}: grading.yml has no exercise `{exercise}` in {stage.id}")
        for entry in entries:
            if entry.id in mistakes:
                raise LabError(f"{stage.mistakes}: mistake {entry.id}: the id is used twice")
            fails = frozenset(lock.get(entry.id, ())) & known
            mistakes[entry.id] = replace(entry, exercise=exercise, fails=fails)
    return tuple(mistakes.values())


def read_catalogue(stage: StageFolders) -> Mapping[str, Iterable[Mistake]]:
    """Return the mistakes by exercise, as the author wrote them: without the checks that each loses.

    Raises:
        LabError: the file is missing or cannot be run, or holds something else.
    """
    path = stage.mistakes
    if not path.is_file():
        raise LabError(f"{path} is missing: every stage needs its named mistakes")
    try:
        catalogue = runpy.run_path(str(path)).get("MISTAKES")
    except Exception as error:
        raise LabError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    if not isinstance(catalogue, dict) or not all(
        isinstance(entry, Mistake) for entries in catalogue.values() for entry in entries
    ):
        raise LabError(f"{path}: MISTAKES must map each exercise to a tuple of `mistake(…)`")
    return catalogue


class _Lock(LockFile, frozen=True, kw_only=True):
    """The lock file: mistake id → the checks it loses, sorted."""

    mistakes: dict[str, list[str]]


def read_lock(stage: StageFolders) -> Mapping[str, Iterable[str]]:
    """Return the checks that each mistake loses, by mistake id; empty if the stage has no lock file yet.

    Raises:
        LabError: the file is not a lock file of this version.
    """
    lock = read_lock_file(stage.mistakes_lock, _Lock)
    return lock.mistakes if lock is not None else {}


def encode_lock(fails: Mapping[str, Iterable[str]]) -> bytes:
    """Return the content of a lock file."""
    return encode_lock_file(_Lock(mistakes={name: sorted(checks) for name, checks in fails.items()}))


def lock_problems(stage: StageFolders, mistakes: Iterable[Mistake]) -> list[str]:
    """Return where the lock file contradicts the catalogue or ``grading.yml``, a line each."""
    lock, known = read_lock(stage), frozenset(stage.spec.check_ids)
    problems = []
    written = {entry.id: entry for entry in mistakes}
    for name in sorted(lock.keys() - written.keys()):
        problems.append(f"mistake {name} is in the lock file but not in {stage.mistakes.name}")
    for name, entry in written.items():
        if name not in lock:
            problems.append(f"mistake {name} is not in the lock file")
        for check in sorted(frozenset(lock.get(name, ())) - known):
            problems.append(f"mistake {name}: the lock file lists `{check}`, which grading.yml does not")
        for check in sorted(entry.must_fail - frozenset(lock.get(name, ()))):
            problems.append(f"mistake {name} must fail `{check}`, and the lock file does not list it")
    return [f"{problem}; run `autograder verify --stage {stage.id} --update`" for problem in problems]
