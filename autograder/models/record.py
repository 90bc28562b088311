"""Records of training runs: ``training.json``, which declares a GPT's sizes, each within the course's limits."""

from typing import Annotated, TypeVar

import msgspec

from autograder.course.config import ModelLimits
from autograder.models.errors import HAND_IN_AGAIN, TrainedModelError, refusing

NAME = "training.json"
FORMAT_VERSION = 1

Count = Annotated[int, msgspec.Meta(ge=0, lt=10**12)]
DeclaredLoss = Annotated[float, msgspec.Meta(ge=0, le=1e6)]

R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that every record has and the grader uses; the others are for people.

    ``tokens`` counts the training tokens. ``name`` is the name to show in the leaderboard, empty for none.
    """

    format_version: int
    alphabet: str
    tokens: Count = 0
    validation_loss: DeclaredLoss | None = None
    name: str = ""


class Sizes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's configuration: the fields of a student's ``GPTConfig``."""

    vocab_size: int
    context_length: int
    d_model: int
    num_heads: int
    num_blocks: int
    d_hidden: int
    dropout: float = 0.0
    init_std: float = 0.02


class GPTRecord(Record, frozen=True, kw_only=True):
    """The record of a GPT."""

    config: Sizes
    parameters: Count


def read_record(raw: bytes, limits: ModelLimits) -> GPTRecord:
    """Read and check ``training.json``.

    Args:
        raw: the file's bytes.
        limits: the limits of the course, which the trainer checks before it trains.

    Raises:
        TrainedModelError: it cannot be read, contradicts itself, or declares a model beyond the limits.
    """
    record = decode_record(raw, GPTRecord, NAME)
    sizes = record.config
    for name, (smallest, largest) in limits.sizes.items():
        if not smallest <= (size := getattr(sizes, name)) <= largest:
            raise TrainedModelError(f"{NAME} declares a {name} of {size:,}; allowed are {smallest:,} to {largest:,}")
    if len(set(record.alphabet)) != len(record.alphabet) or len(record.alphabet) != sizes.vocab_size:
        distinct = len(set(record.alphabet))
        raise _contradiction(f"its alphabet has {distinct} distinct characters, but vocab_size is {sizes.vocab_size}")
    if sizes.d_model % sizes.num_heads:
        raise _contradiction(f"d_model is {sizes.d_model}, not a multiple of num_heads, which is {sizes.num_heads}")
    if record.parameters > limits.most_parameters:
        raise TrainedModelError(
            f"{NAME} declares {record.parameters:,} parameters; at most {limits.most_parameters:,} are allowed"
        )
    return record


def decode_record(raw: bytes, kind: type[R], name: str) -> R:
    """Read a record that ``train.py`` wrote.

    Raises:
        TrainedModelError: it is not JSON, not of this kind, or of another format version.
    """
    with refusing(name):
        record = msgspec.json.decode(raw, type=kind)
    if record.format_version != FORMAT_VERSION:
        problem = f"format_version is {record.format_version}, not {FORMAT_VERSION}"
        raise TrainedModelError(f"{name} cannot be read: {problem}; {HAND_IN_AGAIN}")
    return record


def _contradiction(problem: str) -> TrainedModelError:
    return TrainedModelError(f"{NAME} contradicts itself: {problem}; {HAND_IN_AGAIN}")
