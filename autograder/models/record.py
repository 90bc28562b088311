"""``training.json``: the sizes that a student declares for the model, each within bounds."""

from typing import Annotated, TypeVar

import msgspec

from autograder.models.errors import TrainedModelError

NAME = "training.json"
LARGEST_RECORD = 2**20
FORMAT_VERSION = 1
MOST_PARAMETERS = 12_000_000
AGAIN = "hand in the file as train.py wrote it"

T = TypeVar("T")

Size = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class Sizes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's configuration; the fields of a student's ``GPTConfig``."""

    vocab_size: Annotated[int, msgspec.Meta(ge=2, le=1024)]
    context_length: Annotated[int, msgspec.Meta(ge=8, le=1024)]
    d_model: Size
    num_heads: Annotated[int, msgspec.Meta(ge=1, le=64)]
    num_blocks: Annotated[int, msgspec.Meta(ge=1, le=48)]
    d_hidden: Size
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    init_std: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.02


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of the record; the rest of it is for people."""

    format_version: int
    config: Sizes
    alphabet: str
    parameters: int
    tokens: int = 0
    validation_loss: float | None = None


def read_record(raw: bytes) -> Record:
    """Read and check a record.

    Raises:
        TrainedModelError: it cannot be read, or it contradicts itself.
    """
    record = decode_record(raw, Record, NAME)
    if record.format_version != FORMAT_VERSION:
        raise _contradiction(f"its format is {record.format_version}, not {FORMAT_VERSION}")
    sizes = record.config
    if len(set(record.alphabet)) != len(record.alphabet) or len(record.alphabet) != sizes.vocab_size:
        distinct = len(set(record.alphabet))
        raise _contradiction(f"its alphabet has {distinct} characters, and the vocabulary {sizes.vocab_size}")
    if sizes.d_model % sizes.num_heads:
        raise _contradiction(f"{sizes.num_heads} heads cannot share {sizes.d_model} features")
    if record.parameters > MOST_PARAMETERS:
        raise TrainedModelError(f"a model of {record.parameters:,} parameters; {MOST_PARAMETERS:,} is the most")
    return record


def decode_record(raw: bytes, kind: type[T], name: str) -> T:
    """Read what `train.py` writes beside weights.

    Raises:
        TrainedModelError: it is too large, no JSON, or not of this kind.
    """
    if len(raw) > LARGEST_RECORD:
        raise TrainedModelError(f"{name} is larger than {LARGEST_RECORD >> 20} MB; {AGAIN}")
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TrainedModelError(f"{name} cannot be read: {error}; {AGAIN}") from None


def _contradiction(what: str) -> TrainedModelError:
    return TrainedModelError(f"{NAME} contradicts itself: {what}; {AGAIN}")
