"""The attacks on the machine: functions in `on_the_machine/`, one module for each goal.

A function returns if its attack succeeds and raises if it is stopped. The text of its module is sent to a locked
worker, so the modules import only the standard library. ``target`` names the files, processes and server to attack;
see ``conftest.py``.
"""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.process import Template, WorkerLimits
from autograder.isolation.wire import Reference

FOLDER = Path(__file__).parent / "on_the_machine"
LIMITS = WorkerLimits(call_cpu_seconds=5, worker_cpu_seconds=20, memory_mb=300, reply_mb=4)
TOO_MUCH_MEMORY = 400 << 20
# How many attacks of each module `make test` runs; `make prove` runs all.
SHORT = 2


@dataclass(frozen=True)
class MachineAttack:
    """One function of one module."""

    goal: str
    name: str

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.goal}.py"

    def succeeds(self, template: Template, target: dict[str, Any]) -> bool:
        """Run the attack in a fresh worker; False if it was stopped."""
        worker = template.spawn(LIMITS)
        try:
            worker.request("load", modules={"attack": self.path.read_text(encoding="utf-8")}, main="attack")
            worker.request("call", target=Reference(self.name), args=[target], kwargs={}, grad=False)
        except (SubmissionError, WorkerDied):
            return False
        finally:
            worker.kill()
        return True


def machine_attacks() -> list[MachineAttack]:
    """Every attack, module by module."""
    return [
        MachineAttack(path.stem, node.name)
        for path in sorted(FOLDER.glob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and [argument.arg for argument in node.args.args] == ["target"]
    ]


def named(name: str) -> MachineAttack:
    (found,) = (attack for attack in machine_attacks() if attack.name == name)
    return found


def marked_slow_beyond(attacks: list[Any], key: Any, names: Any, most: int = SHORT) -> list[Any]:
    """Parameters for pytest: beyond the first ``most`` of each goal they run only in the full suite."""
    seen: dict[str, int] = {}
    parameters = []
    for attack in attacks:
        goal = key(attack)
        seen[goal] = seen.get(goal, 0) + 1
        marks = [pytest.mark.slow] if seen[goal] > most else []
        parameters.append(pytest.param(attack, id=names(attack), marks=marks))
    return parameters
