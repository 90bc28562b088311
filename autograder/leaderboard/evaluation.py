"""Evaluation of an entry to the speedrun: any model that the student's module builds, within the course's limits.

The limit on parameters is a limit on the information in the weights. So the parameters are counted in the file that
was handed in, not taken from the record. Embeddings are free up to a limit of their own, and all other parameters
count. A matrix with a row per character or per pair of characters is an embedding; so is the smallest matrix with a
row per position. A matrix that only looks like an embedding is free as well, which is why the limit exists.

Code could hold a model's knowledge too: as constants, texts, names or comments, in any module of the entry, and in
the names and shapes of tensors. So the size of all of these after compression is limited.
"""

import lzma
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from autograder.course.config import Speedrun
from autograder.isolation.proxy import Session, Student
from autograder.isolation.wire import Reference
from autograder.leaderboard.record import EntryRecord
from autograder.models import Evaluation, TrainedModelError
from autograder.models.evaluation import evaluate
from autograder.models.held_out_text import CHARACTERS, draw_blocks
from autograder.models.model import Model
from autograder.models.weights import read_weights


def count_parameters(
    weights: Mapping[str, Tensor], vocab_size: int, context_length: int, most_free: int
) -> tuple[int, int]:
    """Return the number of parameters that count, and the number of free parameters of embeddings.

    Args:
        weights: the weights, by name.
        vocab_size: number of characters in the model's alphabet.
        context_length: number of positions.
        most_free: limit on free parameters.
    """
    # A tensor that the model shares between modules is in the file once for each of them.
    distinct = {(weight.shape, weight.numpy().tobytes()): weight for weight in weights.values()}.values()
    matrices = [weight for weight in distinct if weight.ndim == 2]
    rows = vocab_size, vocab_size**2
    of_characters = sum(matrix.numel() for matrix in matrices if len(matrix) in rows)
    of_positions = [matrix.numel() for matrix in matrices if len(matrix) == context_length and len(matrix) not in rows]
    total = sum(weight.numel() for weight in distinct)
    free = min(of_characters + min(of_positions, default=0), most_free, total)
    return total - free, free


def code_bytes(sources: Iterable[str], weights: Mapping[str, Tensor] = {}) -> int:
    """Return the compressed size in bytes of source texts and of the names and shapes of tensors."""
    described = (f"{name} {tuple(weight.shape)}" for name, weight in weights.items())
    return len(lzma.compress("\n".join([*sources, *described]).encode()))


def evaluate_entry(
    sessions: tuple[Session, Session],
    speedrun: Speedrun,
    record: EntryRecord,
    sources: Iterable[str],
    weights: bytes,
    plays: Path,
    secret: bytes,
    characters: int = CHARACTERS,
) -> Evaluation:
    """Evaluate an entry on held-out text, as ``evaluate_gpt`` does; the same characters count for all entries.

    Args:
        sessions: two sessions that have loaded the speedrun's module and the modules that it imports.
        speedrun: the limits.
        record: the entry's record.
        sources: the texts of all modules of the entry that the student wrote.
        weights: the bytes of the weights' file.
        plays: the archive of held-out plays.
        secret: the course's secret, which draws the text.
        characters: smallest number of characters that count.

    Raises:
        TrainedModelError: the files or the model cannot be evaluated, or the model learnt nothing.
        SubmissionError, WorkerDied: the model fails.
    """
    tensors = read_weights(weights, speedrun.weights_file)
    if (size := code_bytes(sources, tensors)) > speedrun.most_code_bytes:
        raise TrainedModelError(
            f"the code of the entry has {size:,} bytes after compression, all of its modules together; at most "
            f"{speedrun.most_code_bytes:,} are allowed: what the model knows belongs in its weights"
        )
    model = _model(speedrun, record, sessions[0].request("value", target=Reference("CONTEXT_LENGTH")))
    parameters, free = count_parameters(tensors, model.vocab_size, model.context_length, speedrun.free_embeddings)
    if parameters > speedrun.most_parameters:
        raise TrainedModelError(
            f"the model has {parameters:,} parameters without free embeddings; "
            f"at most {speedrun.most_parameters:,} are allowed"
        )
    student, twin = map(Student, sessions)
    text = draw_blocks(model, plays, secret, speedrun.context_length, characters)
    evaluation = evaluate(student, twin, model, tensors, text, secret)
    if not evaluation.learnt:
        raise TrainedModelError(
            "the trained weights predict hardly better than untrained weights: "
            "the model's knowledge must be in its weights"
        )
    if evaluation.loss <= 0:
        raise TrainedModelError("the loss on held-out text is 0, which is impossible")
    return replace(evaluation, parameters=parameters, free_embeddings=free)


def _model(speedrun: Speedrun, record: EntryRecord, context_length: object) -> Model:
    shortest, longest = speedrun.context_length
    # `type`, not `isinstance`: True is not a length.
    if type(context_length) is not int or not shortest <= context_length <= longest:
        rule = f"must be an integer from {shortest} to {longest}"
        raise TrainedModelError(f"{speedrun.source_file}: CONTEXT_LENGTH {rule}")
    return Model(
        alphabet=record.alphabet,
        context_length=context_length,
        build=lambda student: student.build_model(len(record.alphabet)),
        called="your model",
        file=speedrun.source_file,
    )
