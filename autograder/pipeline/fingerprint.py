"""Everything besides the submission that a result depends on, as one digest per stage."""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from autograder.base.digests import files_below, program_files
from autograder.course.config import Stage
from autograder.course.lab import Lab, LabError, StageFolders, needed_stages
from autograder.course.surroundings import importable_only

_PACKAGES = ("torch", "numpy", "hypothesis", "pytest", "msgspec")
# Rooms that show, file or release, and have no influence on a result.
_PRESENTATION = frozenset({"cli", "feedback", "integrations", "release"})


def stage_fingerprint(lab: Lab, stage: StageFolders) -> str:
    """Digest the hidden tests, references, mistakes, configuration, versions and this program.

    Raises:
        LabError: a file that every stage needs is missing.
    """
    if not files_below(stage.hidden_tests):
        raise LabError(f"{stage.hidden_tests} is missing or empty: it holds the hidden tests of the stage")
    digest = hashlib.sha256(f"python={platform.python_version()}\n".encode())
    for package in _PACKAGES:
        digest.update(f"{package}={version(package)}\n".encode())
    digest.update(msgspec.json.encode(_judged_spec(stage.spec), order="deterministic"))
    digest.update(msgspec.json.encode(importable_only(lab)))
    files = [*_own_program(), *files_below(stage.hidden_tests), stage.mistakes]
    files += [lock for lock in (stage.mistakes_lock, stage.checks_lock) if lock.is_file()]  # a new stage has none yet
    files += [file for needed in needed_stages(lab, stage) for file in (needed.reference, *needed.alternatives)]
    files += [*stage.attachments.values(), *files_below(stage.given)]  # hidden tests may read given weights
    files += [file for name in stage.spec.data for file in files_below(lab.root / "data" / name)]
    for path in files:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(_read(path)).digest())
    return digest.hexdigest()


def _judged_spec(stage: Stage) -> Stage:
    """The stage without what does not change which checks pass; a report gets the rest when it is read."""
    exercises = {
        name: msgspec.structs.replace(exercise, checks=dict.fromkeys(exercise.checks, 1), dropped=False)
        for name, exercise in stage.exercises.items()
    }
    unjudged: dict[str, Any] = {"title": "", "due": None, "questions": {}, "entries": {}, "speedrun": None}
    return msgspec.structs.replace(stage, **unjudged, exercises=exercises)


def _own_program() -> list[Path]:
    package = Path(__file__).parents[1]
    return [path for path in program_files() if path.relative_to(package).parts[0] not in _PRESENTATION]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise LabError(f"{path} is missing: every stage needs it (see CONTRIBUTING.md, adding a stage)") from None


def result_key(fingerprint: str, student: str, digest: str, judged: Iterable[Mapping[str, str]]) -> str:
    """Compute the key of a result from the stage, the student, the submission and the modules it runs on.

    The key begins with the stage's fingerprint; see ``is_current``.

    Args:
        fingerprint: the stage's fingerprint.
        student: the student's id.
        digest: the digest of the submission, which may be refused.
        judged: the modules of each job, module name → source text, stand-ins included.
    """
    key = hashlib.sha256(f"{fingerprint}\0{student}\0{digest}\0".encode())
    for modules in judged:
        for name, source in sorted(modules.items()):
            key.update(f"{name}\0{hashlib.sha256(source.encode()).hexdigest()}\0".encode())
        key.update(b"\0")
    return f"{fingerprint}-{key.hexdigest()}"


def is_current(key: str, fingerprint: str) -> bool:
    """Whether a result was made with what the fingerprint covers."""
    return key.startswith(f"{fingerprint}-")
