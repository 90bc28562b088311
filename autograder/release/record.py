"""The record of the last release: what it read and what it wrote, by digests.

If both are as they were, a further release would change nothing, and need not make every file again to see it.
"""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec

from autograder.base.atomic_files import write_atomically
from autograder.base.digests import digest_of_files, digest_of_program, files_below
from autograder.base.json_bytes import decode_json
from autograder.course.lab import Lab
from autograder.release.folders import FileContent, read_folder

_PACKAGES = ("jupytext", "msgspec", "nbformat", "pyyaml")


@dataclass(frozen=True)
class ReleaseReport:
    """The changes of a release in ``assignments``.

    Attributes:
        files: number of generated files.
        written: paths of new or changed files.
        removed: paths of files that only an earlier release generated.
        strangers: paths of files that no release generated; they stay.
    """

    files: int
    written: tuple[str, ...]
    removed: tuple[str, ...]
    strangers: tuple[str, ...]


class _Record(msgspec.Struct, frozen=True):
    inputs: str
    outputs: str
    files: int
    strangers: tuple[str, ...]


def inputs_digest(lab: Lab) -> str:
    """Digest everything that a release reads: the configuration, the solutions, the data, and this program."""
    files = [lab.root / "grading.yml", *files_below(lab.root / "solutions")]
    for name in dict.fromkeys(name for stage in lab.stages() for name in stage.spec.data):
        files += files_below(lab.root / "data" / name)
    versions = [f"{name}={version(name)}" for name in _PACKAGES]
    parts = [platform.python_version(), *versions, digest_of_program(), digest_of_files(files, lab.root)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def unchanged_release(lab: Lab, inputs: str) -> ReleaseReport | None:
    """Return the report of a release that changes nothing; None if it might change something.

    Args:
        lab: the lab.
        inputs: the digest of what a release reads now, see ``inputs_digest``.

    Raises:
        ReleaseError: a folder that a release wrote contains a link.
    """
    try:
        record = decode_json(_file(lab).read_bytes(), _Record)
    except (OSError, msgspec.MsgspecError):
        return None
    if (record.inputs, record.outputs) != (inputs, _outputs_digest(lab)):
        return None
    return ReleaseReport(record.files, (), (), record.strangers)


def keep_record(lab: Lab, inputs: str, report: ReleaseReport) -> None:
    """Record a release that has just been made from these inputs."""
    record = _Record(inputs, _outputs_digest(lab), report.files, report.strangers)
    write_atomically(_file(lab), msgspec.json.encode(record))


def source_folder(lab: Lab) -> Path:
    """The folder of each stage's released files that nbgrader copies from."""
    return lab.build / "nbgrader" / "source"


def released_notebooks(lab: Lab) -> list[Path]:
    """The notebook of each stage as a release writes it, whether it exists or not."""
    return [source_folder(lab) / stage.id / f"{stage.spec.module}.ipynb" for stage in lab.stages()]


def _file(lab: Lab) -> Path:
    return lab.build / "release.json"


def _outputs_digest(lab: Lab) -> str:
    digests = [_digest(read_folder(folder)) for folder in (lab.root / "assignments", source_folder(lab))]
    return "".join(digests)


def _digest(files: Mapping[str, FileContent]) -> str:
    digest = hashlib.sha256()
    for name, file in files.items():
        digest.update(f"{name}\0{file.executable}\0".encode() + hashlib.sha256(file.content).digest())
    return digest.hexdigest()
