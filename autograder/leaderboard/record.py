"""``speedrun.json``, the record of an entry to the speedrun."""

from typing import Annotated

import msgspec

from autograder.base.text import printable
from autograder.models import TrainedModelError
from autograder.models.corpora.known_language import KnownLanguage
from autograder.models.errors import HAND_IN_AGAIN
from autograder.models.record import Record, decode_record

LONGEST_NAME = 40


class EntryRecord(Record, frozen=True, kw_only=True):
    """The record of an entry.

    ``speedrun_sha256`` is the digest of the trained module; if it is empty, nothing is compared.
    """

    alphabet: Annotated[str, msgspec.Meta(min_length=2, max_length=1024)]
    tokens: Annotated[int, msgspec.Meta(ge=1, lt=10**12)]
    validation_loss: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    speedrun_sha256: Annotated[str, msgspec.Meta(max_length=64)] = ""


def read_entry_record(raw: bytes, file: str) -> EntryRecord:
    """Read and check the record of an entry; its name becomes fit to show.

    Raises:
        TrainedModelError: it cannot be read, or the leaderboard does not rank such a model.
    """
    record = decode_record(raw, EntryRecord, file)
    if len(set(record.alphabet)) != len(record.alphabet):
        raise TrainedModelError(f"the alphabet in {file} repeats a character; {HAND_IN_AGAIN}")
    if set(record.alphabet) == set(KnownLanguage().alphabet):
        raise TrainedModelError(
            "the model was trained on the known language; the leaderboard ranks models trained on the plays"
        )
    return msgspec.structs.replace(record, name=printable(record.name.strip(), LONGEST_NAME))
