"""The time that all workers of one submission share."""

from dataclasses import dataclass

# A worker that sleeps uses no processor time. So all workers together may be waited for this multiple of it.
WAIT_FACTOR = 2


@dataclass
class Budget:
    """What is left of the time of one submission.

    Attributes:
        cpu_left: Processor time in seconds.
        wait_left: Seconds for which the judge may wait for replies; time that a worker waits for a processor does not
            count.
    """

    cpu_left: float
    wait_left: float

    @classmethod
    def of(cls, cpu_seconds: float) -> "Budget":
        """The budget of a submission that may use this much processor time."""
        return cls(cpu_seconds, WAIT_FACTOR * cpu_seconds)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left."""
        return self.cpu_left <= 0 or self.wait_left <= 0
