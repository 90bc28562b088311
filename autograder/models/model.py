"""Description of a model that a submission builds."""

from collections.abc import Callable
from dataclasses import dataclass

from autograder.isolation.proxy import Student
from autograder.models.record import GPTRecord


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model to evaluate.

    Attributes:
        alphabet: its characters, by token id.
        context_length: the largest number of tokens that it reads at once.
        build: builds the untrained model of a submission.
        called: its name in messages to the student.
        file: the module that defines it.
        parameters: the number of parameters that its record declares; None if it declares none.
    """

    alphabet: str
    context_length: int
    build: Callable[[Student], object]
    called: str
    file: str
    parameters: int | None = None

    @property
    def vocab_size(self) -> int:
        """Number of characters in the alphabet."""
        return len(self.alphabet)


def gpt_of(record: GPTRecord) -> Model:
    """Describe the student's own GPT, with the sizes that the record declares."""
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

    return Model(
        alphabet=record.alphabet,
        context_length=sizes.context_length,
        build=build,
        called="your GPT",
        file="gpt.py",
        parameters=record.parameters,
    )
