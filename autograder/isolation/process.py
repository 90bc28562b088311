"""The judge's side of a worker: start the template, spawn locked workers, talk to them, end them."""

from dataclasses import dataclass
from typing import Any

from autograder.results import IsolationLevel


class TemplateError(Exception):
    """The template could not start, or ended; the message says what to do."""


@dataclass(frozen=True)
class Limits:
    """What one worker may use."""

    call_cpu_seconds: float = 4.0
    worker_cpu_seconds: float = 30.0
    memory_mb: int = 1024
    reply_mb: int = 64


class Worker:
    """One locked process that runs an executor for one submission."""

    def request(self, op: str, **arguments: Any) -> Any:
        """Run one operation of the executor and return its value.

        Raises:
            SubmissionError: the submission raised.
            WorkerDied: the worker ended, or its reply was no reply; every later request says so again.
        """
        raise NotImplementedError

    def kill(self) -> None:
        """End the worker. May be called twice."""
        raise NotImplementedError


class Template:
    """A warm process that forks workers."""

    level: IsolationLevel

    @classmethod
    def start(cls) -> "Template":
        """Start a template whose workers are locked as far as this machine can."""
        raise NotImplementedError

    @classmethod
    def start_without_isolation(cls) -> "Template":
        """Start a template whose workers are not locked at all."""
        raise NotImplementedError

    def spawn(self, limits: Limits = Limits()) -> Worker:
        """A fresh worker, nothing loaded."""
        raise NotImplementedError

    def close(self) -> None:
        """End the template."""
        raise NotImplementedError
