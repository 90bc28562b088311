"""What a result depends on besides the submission, as one digest per stage."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

from autograder.judge.trusted_code import needed_stages
from autograder.lab import Lab, StageFolders
from autograder.store import write_atomically

_PACKAGES = ("torch", "numpy", "hypothesis", "pytest", "msgspec")


def stage_fingerprint(lab: Lab, stage: StageFolders) -> str:
    """A digest of the hidden tests, references, mistakes, configuration, versions and this program."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        digest.update(f"{package}={version(package)}\n".encode())
    digest.update(msgspec.json.encode(stage.stage, order="deterministic"))
    # The late policy changes what a score is worth, not the score: it has no place here.
    files = [*_python_files(Path(__file__).parent), *_python_files(stage.hidden_tests), stage.mistakes]
    files += [file for needed in needed_stages(lab, stage) for file in (needed.reference, *needed.alternatives)]
    for path in files:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def result_key(fingerprint: str, student: str, modules: Mapping[str, str]) -> str:
    """The identity of one result: who, what was handed in, and what judged it."""
    digest = hashlib.sha256(f"{fingerprint}\0{student}\0".encode())
    for name, source in sorted(modules.items()):
        digest.update(f"{name}\0{hashlib.sha256(source.encode()).hexdigest()}\0".encode())
    return digest.hexdigest()


def course_secret(lab: Lab) -> bytes:
    """The secret that hidden examples are drawn from.

    ``AUTOGRADER_SECRET`` in the environment, else the file ``.course_secret`` beside
    ``grading.yml``, made on first use and ignored by git.
    """
    given = os.environ.get("AUTOGRADER_SECRET")
    if given:
        return given.encode()
    path = lab.root / ".course_secret"
    if not path.exists():
        write_atomically(path, secrets.token_hex(32).encode() + b"\n")
        path.chmod(0o600)
    return path.read_bytes().strip()


def example_seed(secret: bytes, stage_id: str, modules: Mapping[str, str]) -> int:
    """The seed of a submission's hidden examples: not to be foreseen, the same at each regrade."""
    message = hashlib.sha256(stage_id.encode())
    for name, source in sorted(modules.items()):
        message.update(f"\0{name}\0{source}".encode())
    return int.from_bytes(hmac.digest(secret, message.digest(), "sha256")[:4], "big")


def _python_files(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
