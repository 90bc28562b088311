"""Records of training runs: ``training.json``, which declares a GPT's sizes, each within bounds."""

from typing import Annotated, TypeVar

import msgspec

from autograder.models.errors import TrainedModelError

NAME = "training.json"
LARGEST_RECORD = 2**20
FORMAT_VERSION = 1
MOST_PARAMETERS = 12_000_000
HAND_IN_AGAIN = "hand in the file that train.py wrote"

R = TypeVar("R", bound="Record")

Size = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that every record has and the grader uses; the others are for people.

    ``tokens`` counts the training tokens. ``name`` is the name to show in the leaderboard, empty for none.
    """

    format_version: int
    alphabet: str
    tokens: int = 0
    validation_loss: float | None = None
    name: str = ""


class Sizes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's configuration: the fields of a student's ``GPTConfig``."""

    vocab_size: Annotated[int, msgspec.Meta(ge=2, le=1024)]
    context_length: Annotated[int, msgspec.Meta(ge=8, le=1024)]
    d_model: Size
    num_heads: Annotated[int, msgspec.Meta(ge=1, le=64)]
    num_blocks: Annotated[int, msgspec.Meta(ge=1, le=48)]
    d_hidden: Size
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    init_std: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.02


class GPTRecord(Record, frozen=True, kw_only=True):
    """The record of a GPT."""

    config: Sizes
    parameters: int


def read_record(raw: bytes) -> GPTRecord:
    """Read and check ``training.json``.

    Raises:
        TrainedModelError: it cannot be read, or it contradicts itself.
    """
    record = decode_record(raw, GPTRecord, NAME)
    sizes = record.config
    if len(set(record.alphabet)) != len(record.alphabet) or len(record.alphabet) != sizes.vocab_size:
        distinct = len(set(record.alphabet))
        raise _contradiction(f"its alphabet has {distinct} distinct characters, but vocab_size is {sizes.vocab_size}")
    if sizes.d_model % sizes.num_heads:
        raise _contradiction(f"d_model is {sizes.d_model}, not a multiple of num_heads, which is {sizes.num_heads}")
    if record.parameters > MOST_PARAMETERS:
        raise TrainedModelError(
            f"{NAME} declares {record.parameters:,} parameters; at most {MOST_PARAMETERS:,} are allowed"
        )
    return record


def decode_record(raw: bytes, kind: type[R], name: str) -> R:
    """Read a record that ``train.py`` wrote.

    Raises:
        TrainedModelError: it is too large, not JSON, not of this kind, or of another format version.
    """
    if len(raw) > LARGEST_RECORD:
        raise TrainedModelError(f"{name} is larger than {LARGEST_RECORD >> 20} MB; {HAND_IN_AGAIN}")
    try:
        record = msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TrainedModelError(f"{name} cannot be read: {error}; {HAND_IN_AGAIN}") from None
    if record.format_version != FORMAT_VERSION:
        problem = f"format_version is {record.format_version}, not {FORMAT_VERSION}"
        raise TrainedModelError(f"{name} cannot be read: {problem}; {HAND_IN_AGAIN}")
    return record


def _contradiction(problem: str) -> TrainedModelError:
    return TrainedModelError(f"{NAME} contradicts itself: {problem}; {HAND_IN_AGAIN}")
