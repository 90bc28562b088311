"""The attacks on the judge: texts of submissions to the tiny lab, one module of ``on_the_judge/`` for each goal.

None computes a correct result in the required form, so none may earn a point: the judge treats every reply of the
student's process as a value that the student chose to return.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "on_the_judge"
# Checks of values. Attacks on time and memory run for one check only: each costs up to a whole deadline per check.
ONE_CHECK = frozenset({"test_double_multiplies_by_two"})
TWO_CHECKS = ONE_CHECK | {"test_total_counts_axes_from_the_end"}
COSTLY = {"exhausting", "forging_the_wire", "forged_replies"}


@dataclass(frozen=True)
class JudgeAttack:
    """One submission."""

    goal: str
    name: str
    source: str

    @property
    def checks(self) -> frozenset[str]:
        return ONE_CHECK if self.goal in COSTLY else TWO_CHECKS


def judge_attacks() -> list[JudgeAttack]:
    """Every attack, module by module."""
    return [
        JudgeAttack(path.stem, name, source)
        for path in sorted(FOLDER.glob("*.py"))
        for name, source in importlib.import_module(f"on_the_judge.{path.stem}").ATTACKS.items()
    ]
