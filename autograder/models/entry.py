"""An entry to the speedrun: any model that the student's ``speedrun.py`` builds, and what is said of it.

A limit on parameters is a limit on what the weights can hold, so they are counted in the file that was handed in,
not believed. Matrices with a row per character or per pair of characters are embeddings, and so is one matrix with a
row per position, the smallest. They are free up to ``FREE_EMBEDDINGS`` numbers altogether; everything else counts. A
matrix that only looks like an embedding is free as well, which is why these have a limit too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from torch import Tensor

from autograder.isolation.proxy import Session, Student
from autograder.isolation.wire import Reference
from autograder.models.corpora.known_language import KnownLanguage
from autograder.models.errors import TrainedModelError
from autograder.models.hidden_text import BLOCK, CHARACTERS, LONGEST_CONTEXT, draw_blocks
from autograder.models.model import Model
from autograder.models.record import AGAIN, FORMAT_VERSION, decode_record
from autograder.models.result import Figures, figures_of, seed_of_measuring
from autograder.models.weights import read_weights

MODULE = "speedrun"
SOURCE_FILE = f"{MODULE}.py"
WEIGHTS_FILE = f"{MODULE}.safetensors"
RECORD_FILE = f"{MODULE}.json"
MOST_PARAMETERS = 800_000
FREE_EMBEDDINGS = 600_000  # of 64 characters, their pairs and 128 positions, with 128 features: 548,864
LONGEST_NAME = 40


class EntryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of ``speedrun.json``; ``name`` is the one to show, empty for none.

    ``speedrun_sha256`` is that of the ``speedrun.py`` that was trained; where it is empty nothing is compared.
    """

    format_version: int
    alphabet: Annotated[str, msgspec.Meta(min_length=2, max_length=1024)]
    tokens: Annotated[int, msgspec.Meta(ge=1)]
    validation_loss: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    name: str = ""
    speedrun_sha256: str = ""


@dataclass(frozen=True)
class EntryResult:
    """A measured entry.

    Attributes:
        record: what the student says of it.
        figures: what it is worth on hidden text.
        parameters: those that count, see this module's description.
        embeddings: those that are free.
    """

    record: EntryRecord
    figures: Figures
    parameters: int
    embeddings: int


def read_entry_record(raw: bytes) -> EntryRecord:
    """Read and check ``speedrun.json``.

    Raises:
        TrainedModelError: it cannot be read, or tells of something that the leaderboard does not compare.
    """
    record = decode_record(raw, EntryRecord, RECORD_FILE)
    if record.format_version != FORMAT_VERSION:
        what = f"its format is {record.format_version}, not {FORMAT_VERSION}"
        raise TrainedModelError(f"{RECORD_FILE} is of another time: {what}; {AGAIN}")
    if len(set(record.alphabet)) != len(record.alphabet):
        raise TrainedModelError(f"{RECORD_FILE} names a character twice in its alphabet; {AGAIN}")
    if set(record.alphabet) == set(KnownLanguage().alphabet):
        raise TrainedModelError("it was trained on the known language; the leaderboard is for models of the plays")
    return record


def count_parameters(weights: Mapping[str, Tensor], model: Model) -> tuple[int, int]:
    """How many parameters count, and how many are embeddings and free."""
    # A part that stands in several places of a model is in the file once for each.
    distinct = {(weight.shape, weight.numpy().tobytes()): weight for weight in weights.values()}.values()
    matrices = [weight for weight in distinct if weight.ndim == 2]
    rows = model.vocab_size, model.vocab_size**2
    of_characters = sum(one.numel() for one in matrices if len(one) in rows)
    others = [one.numel() for one in matrices if len(one) == model.context_length and len(one) not in rows]
    of_positions = min(others, default=0)
    whole = sum(weight.numel() for weight in distinct)
    free = min(of_characters + of_positions, FREE_EMBEDDINGS, whole)
    return whole - free, free


def grade_entry(
    sessions: tuple[Session, Session],
    record: EntryRecord,
    weights: bytes,
    plays: Path,
    secret: bytes,
    characters: int = CHARACTERS,
) -> EntryResult:
    """Measure an entry on hidden text, as ``grade_model`` measures a GPT; the same characters count for all entries.

    Args:
        sessions: two that have loaded ``speedrun.py`` and the modules that it imports.
        record: what the student says of the model.
        weights: the bytes of ``speedrun.safetensors``.
        plays: the archive of held-out plays.
        secret: of the course; draws the text.
        characters: how many are foretold, at least.

    Raises:
        TrainedModelError: the files or the model are not fit to be measured, or nothing was learnt.
        SubmissionError, WorkerDied: the model fails.
    """
    numbers = read_weights(weights, WEIGHTS_FILE)
    model = _model(record, sessions[0].request("value", target=Reference("CONTEXT_LENGTH")))
    parameters, embeddings = count_parameters(numbers, model)
    if parameters > MOST_PARAMETERS:
        raise TrainedModelError(
            f"{parameters:,} parameters without embeddings; {MOST_PARAMETERS:,} is the most that is ranked"
        )
    student, twin = map(Student, sessions)
    text = draw_blocks(model, plays, secret, characters)
    figures = figures_of(student, twin, model, numbers, text, seed_of_measuring(secret))
    if not figures.learnt:
        raise TrainedModelError("with the trained weights the model foretells hardly better than without: it is code")
    if figures.loss <= 0:
        raise TrainedModelError("no model foretells unseen text without any loss")
    return EntryResult(record, figures, parameters, embeddings)


def _model(record: EntryRecord, context_length: object) -> Model:
    # `type`, not `isinstance`: True is no length.
    if type(context_length) is not int or not BLOCK <= context_length <= LONGEST_CONTEXT:
        bounds = f"from {BLOCK} to {LONGEST_CONTEXT}"
        raise TrainedModelError(f"{SOURCE_FILE}: CONTEXT_LENGTH must be a whole number {bounds}")
    vocab_size = len(record.alphabet)

    def build(student: Student) -> object:
        return student.build_model(vocab_size)

    return Model(record.alphabet, context_length, build, called="your model", file=SOURCE_FILE)
