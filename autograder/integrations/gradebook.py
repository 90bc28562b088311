"""The gradebook, left alone where nothing has changed.

nbgrader takes a second to import, and opens the gradebook once for each submission. If the gradebook, the release and
the results are those of the last run, by their digests, there is nothing to register and nothing to file.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from autograder.base.atomic_files import write_atomically
from autograder.base.digests import digest_of_files, digest_of_program
from autograder.base.json_bytes import decode_json
from autograder.base.sealed_store import DistrustError, SealedStore
from autograder.course.lab import Lab
from autograder.integrations.filing_report import FilingReport
from autograder.integrations.gradebook_server import server_url
from autograder.pipeline.grade import Graded
from autograder.pipeline.secret import course_secret, seal_secret
from autograder.release import released_notebooks

# The folders that filing writes; a file of them that is changed or removed is filed again.
_FILED_FOLDERS = ("submitted", "autograded", "filed")
# SQLite keeps changes that are not in the database yet in these files.
_PENDING = ("-journal", "-wal")
_LAST = "last"


class _Registered(msgspec.Struct, frozen=True):
    """What is registered where: digests of the release and of the gradebook."""

    release: str
    gradebook: str


class _Filed(msgspec.Struct, frozen=True):
    """The last filing pass: digests of what was filed, and of what it left; its report."""

    registered: _Registered
    results: str
    folders: str
    report: FilingReport


def register_release(lab: Lab) -> None:
    """Update the gradebook's assignments to the release, unless they are up to date.

    Raises:
        GradebookError: the gradebook cannot be used, or a stage has not been released.
    """
    now = _registered_now(lab)
    if now is not None and now == _read_registered(lab):
        return
    from autograder.integrations import nbgrader

    nbgrader.register_release(lab)
    _keep_registered(lab)


def file_results(lab: Lab, graded: Sequence[Graded], people: Mapping[str, Mapping[str, str]] = {}) -> FilingReport:
    """File every result and compare the gradebook with the results, unless the last run did so and nothing changed.

    Args:
        lab: the lab.
        graded: the results.
        people: student → ``last_name``, ``first_name`` and ``email``, as far as they are known.

    Raises:
        GradebookError: the gradebook or the release cannot be used. Results filed before the error stay filed.
    """
    store = SealedStore(lab.build / "nbgrader" / "filing", _Filed, seal_secret(course_secret(lab)))
    results = _digest_of_results(graded, people)
    last = _last_filing(store)
    if last is not None and (last.results, last.registered, last.folders) == (
        results,
        _registered_now(lab),
        _digest_of_folders(lab),
    ):
        return last.report
    from autograder.integrations import nbgrader

    report = nbgrader.file_results(lab, graded, people)
    registered = _keep_registered(lab)
    if registered is not None and not report.differences:
        unchanged = replace(report, removed=(), corrected=())
        store.put(_Filed(registered, results, _digest_of_folders(lab), unchanged), _LAST)
    return report


def filed_before(lab: Lab, graded: Sequence[Graded]) -> list[Graded]:
    """Return the results of the submissions that the gradebook has.

    Raises:
        GradebookError: the gradebook cannot be used.
    """
    from autograder.integrations.nbgrader import submissions_in_gradebook

    known = set(submissions_in_gradebook(lab))
    return [result for result in graded if (result.submission.student, result.submission.stage) in known]


def _last_filing(store: SealedStore[_Filed]) -> _Filed | None:
    try:
        return store.get(_LAST)
    except DistrustError:  # everything is filed again
        return None


def _registered_file(lab: Lab) -> Path:
    return lab.build / "nbgrader" / "registered.json"


def _read_registered(lab: Lab) -> _Registered | None:
    try:
        return decode_json(_registered_file(lab).read_bytes(), _Registered)
    except (OSError, msgspec.MsgspecError):
        return None


def _keep_registered(lab: Lab) -> _Registered | None:
    registered = _registered_now(lab)
    if registered is not None:
        write_atomically(_registered_file(lab), msgspec.json.encode(registered))
    return registered


def _registered_now(lab: Lab) -> _Registered | None:
    """The digests of the release and of the gradebook; None if one is missing, being changed, or on a server."""
    if server_url(lab) is not None or any(
        lab.gradebook.with_name(lab.gradebook.name + ending).exists() for ending in _PENDING
    ):
        return None
    try:
        with lab.gradebook.open("rb") as file:
            gradebook = hashlib.file_digest(file, "sha256").hexdigest()
        files = digest_of_files([lab.root / "grading.yml", *released_notebooks(lab)], lab.root)
    except OSError:
        return None
    return _Registered(f"{version('nbgrader')} {digest_of_program()} {files}", gradebook)


def _digest_of_results(graded: Sequence[Graded], people: Mapping[str, Mapping[str, str]]) -> str:
    digest = hashlib.sha256(msgspec.json.encode(people, order="deterministic") + b"\n")
    for result in graded:
        submission = result.submission
        parts: list[Any] = [
            *(submission.student, submission.stage, submission.digest, submission.handed_in),
            *(submission.answers, submission.refusal, result.report),
        ]
        digest.update(msgspec.json.encode(parts) + b"\n")
    return digest.hexdigest()


def _digest_of_folders(lab: Lab) -> str:
    """Digest the paths, sizes and times of the files that filing writes."""
    digest = hashlib.sha256()
    for folder in _FILED_FOLDERS:
        root = lab.build / "nbgrader" / folder
        for path in sorted(root.rglob("*")):
            if path.is_file():
                status = path.stat()
                digest.update(f"{folder}\0{path.relative_to(root)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()
