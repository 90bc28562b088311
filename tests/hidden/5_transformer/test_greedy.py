"""Hidden tests of greedy decoding: models that follow a script show what was read, and in which mode."""

import torch
from remote_modules import helpers

from autograder.judge.compare import check_close, check_equal, check_shape
from autograder.judge.probes import check_computes, check_inputs_unchanged, remote_value

_SCRIPTED = """
import torch

class Scripted(torch.nn.Module):
    # Row r of the source begins with r. The model writes script[r] while the target is start_id and script[r].
    def __init__(self, script, vocab, start_id, end_id, pad_id):
        super().__init__()
        self.script, self.vocab, self.start_id, self.end_id, self.pad_id = script, vocab, start_id, end_id, pad_id
        self.ran_in_training = False

    def encode(self, source):
        self.ran_in_training |= self.training
        return source.double().unsqueeze(-1) + 0.5

    def decode(self, target, memory, source):
        self.ran_in_training |= self.training
        if not torch.equal(memory[..., 0], source + 0.5):
            raise RuntimeError("the memory is not the output of encode for this source")
        longest = len(self.script[0])
        if target.shape[1] > longest:
            raise ValueError("the text is longer than max_length")
        logits = -torch.ones(*target.shape, self.vocab, dtype=torch.float64)
        for row, (number, read) in enumerate(zip(source[:, 0].tolist(), target.tolist())):
            line = self.script[number]
            for index in range(len(read)):
                before = line[:index]
                right = self.end_id in before or read[: index + 1] == [self.start_id, *before]
                token = line[index] if right else (line[index] + 1) % self.vocab
                logits[row, index, token] = 1.0 + row
        return logits

def scripted(script, vocab, start_id, end_id, pad_id):
    return Scripted(script, vocab, start_id, end_id, pad_id)
"""

# Lines of 6 tokens; token 2 ends a sentence. The tokens after an end are never part of the result.
SCRIPT = [
    [5, 3, 2, 6, 6, 5],
    [3, 3, 4, 1, 5, 3],
    [2, 5, 5, 2, 3, 6],
    [6, 5, 3, 6, 2, 1],
]
LONG_LINE = [3, 5, 6, 4, 1, 3, 5, 4, 6, 1, 5, 3]
END = 2


def scripted(student, script, *, start_id=1, pad_id=0, training=False):
    """Create a model that follows this script."""
    return helpers(student, _SCRIPTED).scripted(script, 7, start_id, END, pad_id).train(training)


def source_of(rows):
    """Return a batch of sources for these rows of a script."""
    return torch.tensor([[row, 3, 5] for row in rows])


def write(student, rows, *, start_id=1, max_length=6, script=SCRIPT, **options):
    """Decode these rows of the script."""
    model = scripted(student, script, start_id=start_id, **options)
    return student.greedy_decode(model, source_of(rows), start_id, END, max_length)


def check_written(student, rows, expected, **options):
    """Check the tokens written for these rows."""
    check_close(write(student, rows, **options), torch.tensor(expected), axes="batch, length")


def test_greedy_writes_the_likeliest(student):
    """greedy_decode: each token is the most likely after the tokens written so far.

    Hint: the logits at the last position are for the next token. Each step reads all tokens written so far.
    """
    # Each batch has a single row that does not end: other checks cover the end of a row.
    for row, count in ((1, 6), (0, 2), (3, 4), (1, 1)):
        check_written(student, [row], [SCRIPT[row][:count]], max_length=count)
    check_written(student, [0], [LONG_LINE], script=[LONG_LINE], max_length=len(LONG_LINE))


def test_greedy_writes_each_row_by_itself(student):
    """greedy_decode: each row of a batch is decoded for its own source.

    Hint: argmax is over the vocabulary, for each row.
    """
    for rows in ([3, 1, 0], [1, 1, 3], [0, 3, 1, 0, 1, 3, 3, 0, 1]):
        check_written(student, rows, [SCRIPT[row][:2] for row in rows], max_length=2)
    # As many rows as tokens in a source, and as many as tokens to write.
    check_written(student, [1, 3, 3], [SCRIPT[row][:3] for row in (1, 3, 3)], max_length=3)


def test_greedy_fills_up_after_the_end(student):
    """greedy_decode: a row that has ended is filled with `pad_id`.

    Hint: keep track of the rows that have ended, even those that end first; their later predictions do not count.
    """
    for pad_id in (0, 4, END):
        rows = [[5, 3, 2, *[pad_id] * 3], SCRIPT[1], [2, *[pad_id] * 5]]
        check_written(student, [0, 1, 2], rows, pad_id=pad_id)


def test_greedy_stops_when_all_have_ended(student):
    """greedy_decode: the result is no longer than its longest row.

    Hint: stop when all rows have ended.
    """
    for rows, length in (([0], 3), ([0, 2, 3], 5), ([2], 1)):
        written = write(student, rows)
        check_shape(written, (len(rows), length), axes="batch, length")
        check_equal(int(written[0, 0]), SCRIPT[rows[0]][0], says="the first token is not the most likely token")


def test_greedy_starts_with_padding_where_told(student):
    """greedy_decode: `start_id` can equal `pad_id`.

    Hint: decide that a row has ended by the tokens written, not by tokens that look like padding.
    """
    check_written(student, [3, 1], [SCRIPT[3][:4], SCRIPT[1][:4]], start_id=0, pad_id=0, max_length=4)


def test_greedy_leaves_the_mode_as_it_was(student):
    """greedy_decode: the model keeps its train/eval mode.

    Hint: read `model.training` before you change it.
    """
    for training in (True, False):
        model = scripted(student, SCRIPT, training=training)
        written = student.greedy_decode(model, source_of([1]), 1, END, 3)
        check_shape(written, (1, 3), axes="batch, length")
        check_equal(int(written[0, 0]), SCRIPT[1][0], says="the first token is not the most likely token")
        says = "the train/eval mode of the model has changed"
        check_equal(remote_value(model, "training"), training, says=says)


def test_greedy_decodes_in_eval_mode(student):
    """greedy_decode: the model writes in eval mode, so that dropout is off.

    Hint: which call of the model turns dropout off?
    """
    model = scripted(student, SCRIPT, training=True)
    written = student.greedy_decode(model, source_of([1]), 1, END, 3)
    check_shape(written, (1, 3), axes="batch, length")
    says = "the model encodes or decodes in training mode"
    check_equal(remote_value(model, "ran_in_training"), False, says=says)


def test_greedy_leaves_the_source_alone(student):
    """greedy_decode: the source is not changed in place.

    Hint: begin the target with a tensor of its own.
    """
    model = scripted(student, SCRIPT)
    first, second = (source_of(rows) for rows in ([0, 1, 3], [1, 3, 0]))
    check_computes(student.greedy_decode, [model, first, 1, END, 3], [model, second, 1, END, 3])
    check_inputs_unchanged(student, student.greedy_decode, model, first, 1, END, 3)
