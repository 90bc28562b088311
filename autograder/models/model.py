"""A model that a submission can build: what measuring has to know of it."""

from collections.abc import Callable
from dataclasses import dataclass

from autograder.isolation.proxy import Student
from autograder.models.record import Record


@dataclass(frozen=True)
class Model:
    """A model to measure.

    Attributes:
        alphabet: its characters, by token id.
        context_length: the most tokens that it reads at once.
        build: makes it, untrained, from the submission that it belongs to.
        called: what its student calls it.
        file: the module that it belongs to.
    """

    alphabet: str
    context_length: int
    build: Callable[[Student], object]
    called: str = "your GPT"
    file: str = "gpt.py"

    @property
    def vocab_size(self) -> int:
        """How many characters it knows."""
        return len(self.alphabet)


def gpt_of(record: Record) -> Model:
    """The student's own GPT, of the sizes that the record declares."""
    sizes = record.config

    def build(student: Student) -> object:
        config = student.GPTConfig(
            vocab_size=sizes.vocab_size,
            context_length=sizes.context_length,
            d_model=sizes.d_model,
            num_heads=sizes.num_heads,
            num_blocks=sizes.num_blocks,
            d_hidden=sizes.d_hidden,
        )
        return student.GPT(config)

    return Model(record.alphabet, sizes.context_length, build)
