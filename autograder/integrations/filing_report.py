"""The result of a filing pass."""

from dataclasses import dataclass

from autograder.integrations.grades import Grade


@dataclass(frozen=True)
class FilingReport:
    """The result of a filing pass.

    Attributes:
        filed: number of submissions with a score.
        withheld: submissions without a score because a person must decide, one line each.
        removed: earlier scores of these submissions that were removed, one line each.
        corrected: scores in the gradebook that differed from the unchanged result of their submission, one line each.
        differences: differences between the gradebook and the results, one line each.
        notes: unexpected properties of submitted notebooks, one line each.
        grades: the grades of all submissions in the gradebook, with points by hand.
    """

    filed: int
    withheld: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    grades: tuple[Grade, ...] = ()

    def summary(self) -> str:
        """The report as text. The reasons of ``withheld`` are those of the reports, so they are not repeated."""
        counts = f"{self.filed} filed, {len(self.withheld)} without a number, {len(self.differences)} differences"
        lines = [f"gradebook: {counts}"]
        lines += [f"  removed: {line}" for line in self.removed]
        lines += [f"  corrected: {line}" for line in self.corrected]
        lines += [f"  differs: {line}" for line in self.differences]
        lines += [f"  notebook: {line}" for line in self.notes]
        return "\n".join(lines)
