"""The course's secret, and what is derived from it: hidden examples, held-out text, seals.

Each use has its own derived value, so that a value that becomes known reveals no other.
"""

import hmac
import os
import secrets
import string
import tempfile
from pathlib import Path

from autograder.base.errors import UnusableError
from autograder.course.lab import Lab

SECRET_FILE = ".course_secret"
SECRET_VARIABLE = "AUTOGRADER_SECRET"
_HEX_DIGITS = 64
_FEWEST_CHARACTERS = 12
_STORES = ("results", "leaderboard")


class SecretError(UnusableError):
    """The course's secret is lost or damaged; the message names the way out."""


def course_secret(lab: Lab) -> bytes:
    """Read the secret from which hidden examples are drawn.

    The secret is ``AUTOGRADER_SECRET`` in the environment, or else the content of ``.course_secret`` beside
    ``grading.yml`` (or in the lab's workspace). The file is created on first use and ignored by git.

    Raises:
        SecretError: the file is empty or damaged, or is missing beside stored results.
    """
    from_environment = os.environ.get(SECRET_VARIABLE)
    if from_environment:
        return from_environment.encode()
    path = secret_file(lab)
    try:
        secret = path.read_bytes().strip()
    except FileNotFoundError:
        return _create(lab, path)
    if (damage := _damage(secret)) is not None:
        raise SecretError(f"{path} {damage}. {_way_out(lab, path)}")
    return secret


def secret_file(lab: Lab) -> Path:
    """The file of the secret, for a lab without ``AUTOGRADER_SECRET``."""
    return (lab.workspace or lab.root) / SECRET_FILE


def close_to_others(lab: Lab) -> str:
    """Make the secret readable only by its owner; return a line that says so, or why it failed. Empty if it was."""
    path = secret_file(lab)
    if os.environ.get(SECRET_VARIABLE) or not path.is_file() or not path.stat().st_mode & 0o077:
        return ""
    before = f"{path} was readable by other accounts of this machine (mode {path.stat().st_mode & 0o777:o})"
    try:
        path.chmod(0o600)
    except OSError as error:
        return f"{before} and cannot be closed to them ({error.strerror}); use {SECRET_VARIABLE} instead"
    return f"{before}; it is now readable only by its owner. If a student has an account here, replace the secret"


def example_seed(secret: bytes, stage_id: str) -> int:
    """Derive the seed of a stage's hidden examples from the course's secret.

    It does not depend on the submission: equal code gets an equal grade, for every student and every attempt.
    """
    return int.from_bytes(hmac.digest(secret, f"examples {stage_id}".encode(), "sha256")[:4], "big")


def class_secret(secret: bytes, stage_id: str) -> bytes:
    """Derive the secret from which data for a whole class is drawn: every model is evaluated on the same text."""
    return hmac.digest(secret, f"class {stage_id}".encode(), "sha256")


def seal_secret(secret: bytes) -> bytes:
    """Derive the secret that seals stored results."""
    return hmac.digest(secret, b"seals of stored results", "sha256")


def _create(lab: Lab, path: Path) -> bytes:
    if path.is_symlink():
        raise SecretError(f"{path} is a link to a file that does not exist. {_way_out(lab, path)}")
    if any(True for store in _STORES for _ in (lab.build / store).rglob("*.json")):
        raise SecretError(f"{path} is missing, although {lab.build} has results that need it. {_way_out(lab, path)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{SECRET_FILE}.") as file:  # only its owner can read it
        file.write(secrets.token_hex(_HEX_DIGITS // 2).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        try:
            # A link, not a rename: it never replaces a secret that another run has just created.
            os.link(file.name, path)
        except FileExistsError:
            pass
    return path.read_bytes().strip()


def _damage(secret: bytes) -> str | None:
    """What is wrong with the content of the file; None if it may be a secret."""
    if not secret:
        return "is empty"
    text = secret.decode("utf-8", errors="replace")
    if not text.isprintable() or "\ufffd" in text:
        return "is damaged: it contains bytes that are not text"
    if len(text) < _FEWEST_CHARACTERS or (set(text) <= set(string.hexdigits) and len(text) != _HEX_DIGITS):
        return f"is damaged: it has {len(text)} characters, and the secret of a course has {_HEX_DIGITS}"
    return None


def _way_out(lab: Lab, path: Path) -> str:
    stores = " and ".join(f"{lab.build.name}/{store}" for store in _STORES)
    return (
        f"Restore it from a backup, or pass the secret in {SECRET_VARIABLE}. Without the secret, remove {path.name} "
        f"and move {stores} away: then the next run draws new hidden examples and judges every submission again"
    )
