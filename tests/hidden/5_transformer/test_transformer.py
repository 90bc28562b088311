"""Hidden tests of the whole Transformer, its loss, its schedule and greedy decoding.

One check compares the model with PyTorch's layers. The others compare it with the student's own encoder and
decoder, so that a wrong block fails only its own checks. Greedy decoding gets models that follow a script.
"""

import math

import torch
from differences import check_differentiates
from hypothesis import given
from hypothesis import strategies as st
from remote_modules import helpers, load, made
from torch.nn import functional
from transformer_oracles import embedded, state_of, torch_transformer, transformer_shapes

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_raises,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device, remote_value
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds, sizes

SOURCE_VOCAB, TARGET_VOCAB, D_MODEL, HEADS, D_HIDDEN, MAX_LENGTH = 11, 13, 6, 3, 8, 9
PAD = 4
# The tolerance accepts float32 sinusoids as well as float64 sinusoids.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}

_CATCH = """
import torch

class Caught(Exception):
    pass

class Catch(torch.nn.Module):
    def forward(self, x, *rest, **more):
        self.x = x
        raise Caught

def read_by(model, name, *inputs):
    # Return the input of the encoder or the decoder without running it.
    catch = Catch()
    setattr(model, name, catch)
    try:
        model(*inputs) if name == "decoder" else model.encode(*inputs)
    except Caught:
        return catch.x
    return None
"""

_RANDOM_BLOCKS = """
import torch

def blocks_that_drop(model, x):
    # For each block, whether two calls give different results.
    encoder = [not torch.equal(block(x), block(x)) for block in model.encoder.blocks]
    return encoder + [not torch.equal(block(x, x), block(x, x)) for block in model.decoder.blocks]
"""

_SCRIPTED = """
import torch

class Scripted(torch.nn.Module):
    # Row r of the source begins with r. The model writes script[r] while the target is start_id and script[r].
    def __init__(self, script, vocab, start_id, end_id, pad_id):
        super().__init__()
        self.script, self.vocab, self.start_id, self.end_id, self.pad_id = script, vocab, start_id, end_id, pad_id

    def encode(self, source):
        return source.double().unsqueeze(-1) + 0.5

    def decode(self, target, memory, source):
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


def transformer(student, seed=0, num_blocks=1, scale=1.0, pad_id=PAD, **options):
    """Create the student's model in float64; return it and its state.

    `scale` multiplies the embeddings; where `pad_id` is None the model uses its default.
    """
    if pad_id is not None:
        options["pad_id"] = pad_id
    shapes = transformer_shapes(SOURCE_VOCAB, TARGET_VOCAB, D_MODEL, num_blocks, D_HIDDEN)
    state = state_of(shapes, seed)
    for side in ("source", "target"):
        state[f"{side}_embedding.weight"] *= scale
    sizes = (SOURCE_VOCAB, TARGET_VOCAB, D_MODEL, HEADS, num_blocks, D_HIDDEN, MAX_LENGTH)
    return made(student, student.Transformer, *sizes, state=state, **options), state


def varied(result):
    """Return the result; fail one that is not finite or is constant."""
    check_finite(result)
    check_that(bool(result.max() > result.min()), "all values of the result are equal")
    return result


def token_ids(batch, length, vocab, seed, *, pad_id=PAD):
    """Draw token ids without padding."""
    drawn = torch.randint(vocab - 1, (batch, length), generator=torch.Generator().manual_seed(seed))
    return drawn + (drawn >= pad_id)


def padded(tokens, lengths, pad_id=PAD):
    """Replace the tokens of each row from its length on with padding."""
    return tokens.masked_fill(torch.arange(tokens.shape[1]) >= torch.tensor(lengths)[:, None], pad_id)


# --- Transformer -----------------------------------------------------------------------------------------------------


def test_transformer_has_the_modules_listed(student):
    """Transformer: the state dict holds the listed modules, and no sinusoids.

    Hint: tensors that are computed in each call, or registered with `persistent=False`, are not in the state dict.
    """
    model = student.Transformer(SOURCE_VOCAB, TARGET_VOCAB, D_MODEL, HEADS, 2, D_HIDDEN, MAX_LENGTH)
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(model.state_dict().items())}
    expected = transformer_shapes(SOURCE_VOCAB, TARGET_VOCAB, D_MODEL, 2, D_HIDDEN)
    says = "the names in the state dict differ from those of the listed modules"
    check_equal(sorted(shapes), sorted(expected), says=says)
    says = "the shape of a parameter differs from that in the listed modules"
    check_equal(shapes, dict(sorted(expected.items())), says=says)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7))
def test_transformer_embeds_tokens_and_places(student, seed, sizes):
    """Transformer: the stacks read the embedding times √d_model, plus the sinusoids.

    Hint: multiply only the embedding. Positions count from 0, and each language has its own embedding.
    """
    batch, source_length, target_length = sizes
    source = token_ids(batch, source_length, SOURCE_VOCAB, seed)
    target = token_ids(batch, target_length, TARGET_VOCAB, seed + 1)
    model, state = transformer(student, seed)
    found = helpers(student, _CATCH).read_by(model, "decoder", source, target)
    check_close(found, embedded(state["target_embedding.weight"], target), axes="batch, length, d_model", **CLOSE)
    found = helpers(student, _CATCH).read_by(model, "encoder", source)
    check_close(found, embedded(state["source_embedding.weight"], source), axes="batch, length, d_model", **CLOSE)


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=7))
def test_transformer_encodes_with_its_encoder(student, seed, sizes):
    """Transformer: the memory is the encoder's output for the embedded source.

    Hint: embed, then encode.
    """
    batch, length = sizes
    source = token_ids(batch, length, SOURCE_VOCAB, seed)
    model, state = transformer(student, seed)
    expected = model.encoder(embedded(state["source_embedding.weight"], source))
    check_close(varied(model.encode(source)), expected, axes="batch, length, d_model", **CLOSE)


@given(seeds(), sizes(min_size=2, max_size=4))
def test_transformer_encodes_past_padding(student, seed, batch):
    """Transformer: source padding does not change the memory of real tokens, for any `pad_id`.

    Hint: the encoder needs a mask (batch, 1, key) that is True where a token is not `pad_id`.
    """
    length = 6
    for pad_id in (0, 10):
        source = padded(token_ids(batch, length, SOURCE_VOCAB, seed, pad_id=pad_id), range(3, 3 + batch), pad_id)
        model, state = transformer(student, seed, pad_id=pad_id or None)  # 0 is the default
        real = source != pad_id
        expected = model.encoder(embedded(state["source_embedding.weight"], source), mask=real[:, None, :])
        memory = varied(model.encode(source))
        check_shape(memory, (batch, length, D_MODEL), axes="batch, length, d_model")
        check_shape(expected, (batch, length, D_MODEL), axes="batch, length, d_model")
        check_close(memory[real], expected[real], **CLOSE)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7))
def test_transformer_decodes_with_its_decoder(student, seed, sizes):
    """Transformer: the logits are the output projection of the decoder's output.

    Hint: embed, decode with the memory, project; do not apply a softmax.
    """
    batch, source_length, target_length = sizes
    source = token_ids(batch, source_length, SOURCE_VOCAB, seed)
    target = token_ids(batch, target_length, TARGET_VOCAB, seed + 1)
    memory = normal_tensor(batch, source_length, D_MODEL, seed=seed + 2)
    model, state = transformer(student, seed)
    hidden = model.decoder(embedded(state["target_embedding.weight"], target), memory)
    logits = varied(model.decode(target, memory, source))
    check_close(logits, model.output_proj(hidden), axes="batch, target, vocab", **CLOSE)


@given(seeds(), sizes(min_size=2, max_size=4))
def test_transformer_decodes_past_padding(student, seed, batch):
    """Transformer: the decoder does not read the memory where the source is padding.

    Hint: cross-attention needs the source's mask too.
    """
    length = 6
    for pad_id in (0, 10):
        source = padded(token_ids(batch, length, SOURCE_VOCAB, seed, pad_id=pad_id), range(3, 3 + batch), pad_id)
        target = token_ids(batch, 5, TARGET_VOCAB, seed + 1, pad_id=pad_id)
        memory = normal_tensor(batch, length, D_MODEL, seed=seed + 2)
        model, state = transformer(student, seed, pad_id=pad_id)
        mask = (source != pad_id)[:, None, :]
        hidden = model.decoder(embedded(state["target_embedding.weight"], target), memory, memory_mask=mask)
        check_close(varied(model.decode(target, memory, source)), model.output_proj(hidden), **CLOSE)


@given(seeds(), sizes(min_size=3, max_size=6))
def test_transformer_does_not_mask_the_target(student, seed, length):
    """Transformer: a target token equal to `pad_id` is read like any other token.

    Hint: the start token can equal `pad_id`, and the causal mask already hides padding on the right. Look at your
    decoder's mask.
    """
    source = token_ids(2, 5, SOURCE_VOCAB, seed)
    target = token_ids(2, length, TARGET_VOCAB, seed + 1)
    target[:, 0] = PAD
    target[1, 2] = PAD
    memory = normal_tensor(2, 5, D_MODEL, seed=seed + 2)
    model, state = transformer(student, seed)
    hidden = model.decoder(embedded(state["target_embedding.weight"], target), memory)
    check_close(varied(model.decode(target, memory, source)), model.output_proj(hidden), **CLOSE)


@given(seeds(), distinct_sizes(count=2, min_size=4, max_size=7))
def test_transformer_gives_the_logits(student, seed, sizes):
    """Transformer: the logits equal those of PyTorch's layers with the same weights.

    Hint: this check passes last; the other checks show which part is wrong.
    """
    source_length, target_length = sizes
    source = padded(token_ids(3, source_length, SOURCE_VOCAB, seed), (source_length, 2, 3))
    target = padded(token_ids(3, target_length, TARGET_VOCAB, seed + 1), (target_length, 3, 2))
    target[:, 0] = PAD
    # With numbers this large, the position of eps changes less than the tolerance, and the kind of GELU much more.
    model, state = transformer(student, seed, num_blocks=2, scale=2.0)
    state |= {name: 4 * tensor for name, tensor in state.items() if name.endswith("feed_forward.output_proj.weight")}
    load(student, model, state)
    expected = torch_transformer(state, HEADS, source, target, PAD)
    check_close(model(source, target), expected, axes="batch, target, vocab", **CLOSE)


def test_transformer_refuses_what_is_too_long(student):
    """Transformer: only more than `max_length` tokens raise ValueError.

    Hint: compare the number of tokens with max_length before you add the sinusoids, in both languages.
    """
    model, _ = transformer(student)
    fits = [token_ids(2, MAX_LENGTH, vocab, seed=3) for vocab in (SOURCE_VOCAB, TARGET_VOCAB)]
    long = [token_ids(2, MAX_LENGTH + 1, vocab, seed=4) for vocab in (SOURCE_VOCAB, TARGET_VOCAB)]
    check_shape(model(*fits), (2, MAX_LENGTH, TARGET_VOCAB), axes="batch, target, vocab")
    memory = normal_tensor(2, MAX_LENGTH, D_MODEL, seed=5)
    with check_raises(ValueError, says="a source longer than max_length raises no ValueError"):
        model.encode(long[0])
    with check_raises(ValueError, says="a target longer than max_length raises no ValueError"):
        model.decode(long[1], memory, fits[0])


@given(seeds())
def test_transformer_learns_all_its_parameters(student, seed):
    """Transformer: gradients reach every parameter and every embedding row that is read.

    Hint: `padding_idx` excludes a row of an embedding from training, and the start token can be that row.
    """
    source, target = token_ids(2, 4, SOURCE_VOCAB, seed), token_ids(2, 3, TARGET_VOCAB, seed + 1)
    target[:, 0] = PAD
    model, state = transformer(student, seed)
    check_differentiates(student, model, state, [], seed, call=lambda: model(source, target))


@given(seeds())
def test_transformer_drops_in_all_its_places(student, seed):
    """Transformer: dropout acts on embeddings and in every block, in training only.

    Hint: apply dropout after the sinusoids are added, and pass the rate to the encoder and the decoder.
    """
    rate = 0.2
    model, state = transformer(student, seed, num_blocks=2, dropout=rate)
    source, target = (token_ids(40, MAX_LENGTH, vocab, seed) for vocab in (SOURCE_VOCAB, TARGET_VOCAB))
    plain, _ = transformer(student, seed, num_blocks=2)
    check_values(varied(model.eval()(source[:2], target[:2])), plain(source[:2], target[:2]))
    model.train()
    drops = helpers(student, _RANDOM_BLOCKS).blocks_that_drop(model, normal_tensor(2, 5, D_MODEL, seed=seed + 2))
    check_equal(drops, [True] * 4, says="a block of the encoder or the decoder applies no dropout")
    for name, inputs, whole in (
        ("decoder", (source, target), embedded(state["target_embedding.weight"], target)),
        ("encoder", (source,), embedded(state["source_embedding.weight"], source)),
    ):
        found = helpers(student, _CATCH).read_by(model, name, *inputs)
        check_shape(found, tuple(whole.shape), axes="batch, length, d_model")
        dropped = found == 0
        share = dropped.double().mean().item()
        # The mean is 432 of 2160; the tolerance is seven standard deviations.
        check_that(abs(share - rate) < 0.061, "dropout does not act on the embeddings at its rate")
        check_close(found, torch.where(dropped, 0.0, whole / (1 - rate)), **CLOSE)


def test_transformer_keeps_dtype_and_device(student):
    """Transformer: results have the dtype of the model and the device of the tokens.

    Hint: the sinusoids have PyTorch's default dtype: convert them to the dtype of the embedding.
    """
    source, target = token_ids(2, 5, SOURCE_VOCAB, 1), token_ids(2, 4, TARGET_VOCAB, 2)
    model, _ = transformer(student)
    for dtype in (torch.bfloat16, torch.float64):
        model.to(dtype)
        check_computes(model, [source, target], [source, target.flip(1)])
        check_dtype(model.encode(source), dtype)
        check_dtype(model(source, target), dtype)
    check_keeps_device(student, model, source, target)


# --- shift_right -----------------------------------------------------------------------------------------------------


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=7))
def test_shift_right_gives_the_token_before(student, seed, sizes):
    """shift_right: each position holds the token before it, the first holds `start_id`.

    Hint: the result is as long as the tokens.
    """
    for shape in (sizes, (sizes[0], 1)):
        tokens = token_ids(*shape, 50, seed)
        rows = [[17, *row[:-1]] for row in tokens.tolist()]
        check_close(student.shift_right(tokens, 17), torch.tensor(rows), axes="batch, length")


def test_shift_right_keeps_dtype_and_device(student):
    """shift_right: the result has the dtype and the device of the tokens.

    Hint: create the start token with the dtype and device of the tokens.
    """
    for dtype in (torch.int64, torch.int32):
        tokens = token_ids(2, 4, 50, 1).to(dtype)
        check_computes(student.shift_right, [tokens, 17], [tokens + 1, 17])
        check_dtype(student.shift_right(tokens, 17), dtype)
    check_keeps_device(student, student.shift_right, token_ids(2, 4, 50, 1), 17)


def test_shift_right_leaves_the_tokens_alone(student):
    """shift_right: the tokens are not changed in place.

    Hint: writing into a slice of the tokens writes into the tokens, which are the targets.
    """
    tokens = token_ids(2, 4, 50, 2)
    check_computes(student.shift_right, [tokens, 17], [tokens + 1, 17])
    check_inputs_unchanged(student, student.shift_right, tokens, 17)


# --- label_smoothed_loss ---------------------------------------------------------------------------------------------


def loss_by_hand(logits, targets, smoothing, pad_id):
    """Compute the mean over real tokens of −Σ q log p, in Python floats."""
    losses = []
    for row, target in zip(logits.flatten(0, 1).tolist(), targets.flatten().tolist(), strict=True):
        if target == pad_id:
            continue
        largest = max(row)
        log_sum = largest + math.log(math.fsum(math.exp(value - largest) for value in row))
        smoothed = [smoothing / len(row) + (1 - smoothing) * (token == target) for token in range(len(row))]
        losses.append(-math.fsum(q * (value - log_sum) for q, value in zip(smoothed, row, strict=True)))
    return torch.tensor(math.fsum(losses) / len(losses), dtype=torch.float64)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7))
def test_loss_without_smoothing_is_cross_entropy(student, seed, sizes):
    """label_smoothed_loss: smoothing 0 gives the mean of −log p of the targets.

    Hint: softmax is over the vocabulary, the last axis.
    """
    batch, length, vocab = sizes
    logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0)
    targets = token_ids(batch, length, vocab, seed, pad_id=0)
    expected = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    check_values(student.label_smoothed_loss(logits, targets, 0.0, 0), expected)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7), st.sampled_from((0.1, 0.35, 0.8)))
def test_loss_spreads_the_smoothing_over_all_classes(student, seed, sizes, smoothing):
    """label_smoothed_loss: each class gets smoothing/vocab, the target 1 − smoothing more.

    Hint: over how many classes is the smoothing distributed?
    """
    batch, length, vocab = sizes
    logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0)
    targets = token_ids(batch, length, vocab, seed, pad_id=1)
    found = student.label_smoothed_loss(logits, targets, smoothing, 1)
    check_values(found, loss_by_hand(logits, targets, smoothing, pad_id=1))


def padded_batch(seed, sizes, pad_id):
    """Return logits and targets whose rows end in `pad_id`; at least one token of each row is real."""
    batch, length, vocab = sizes
    lengths = [1 + (row + seed) % length for row in range(batch)]
    targets = padded(token_ids(batch, length, vocab, seed, pad_id=pad_id), lengths, pad_id)
    return normal_tensor(batch, length, vocab, seed=seed), targets


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=7))
def test_loss_leaves_padding_out(student, seed, sizes):
    """label_smoothed_loss: targets that are `pad_id` or -100 do not count.

    Hint: the logits at padding have no influence at all, and a target of -100 is treated as padding.
    """
    for pad_id, smoothing in ((0, 0.0), (2, 0.3)):
        logits, targets = padded_batch(seed, sizes, pad_id)
        found = student.label_smoothed_loss(logits, targets, smoothing, pad_id)
        check_shape(found, ())
        check_that(bool(found > 0), "the loss of random logits is not positive")
        other = torch.where((targets == pad_id)[..., None], 30 * logits + 5, logits)
        says = "the loss depends on the logits at padding"
        check_values(student.label_smoothed_loss(other, targets, smoothing, pad_id), found, says=says)
        marked = targets.masked_fill(targets == pad_id, -100)
        found_marked = student.label_smoothed_loss(logits, marked, smoothing, pad_id)
        check_values(found_marked, found, says="a target of -100 counts")


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=7))
def test_loss_is_a_mean_over_real_tokens(student, seed, sizes):
    """label_smoothed_loss: the sum is divided by the number of real tokens.

    Hint: a mean over real tokens divides by their number, whether it is one or many.
    """
    for pad_id, smoothing in ((0, 0.0), (2, 0.3)):
        logits, targets = padded_batch(seed, sizes, pad_id)
        found = student.label_smoothed_loss(logits, targets, smoothing, pad_id)
        check_shape(found, ())
        check_that(bool(found > 0), "the loss of random logits is not positive")
        kept = targets != pad_id
        alone = student.label_smoothed_loss(logits[kept][None], targets[kept][None], smoothing, pad_id)
        check_values(found, alone, says="padding counts in the number of tokens")
        once, twice = (
            student.label_smoothed_loss(
                logits[:1, :1].repeat(1, times, 1), targets[:1, :1].repeat(1, times), smoothing, pad_id
            )
            for times in (1, 2)
        )
        check_values(once, twice, says="the loss of one token differs from the loss of the same token twice")


def test_loss_of_padding_alone_is_zero(student):
    """label_smoothed_loss: the loss is 0 when no target is a real token.

    Hint: what is 0 divided by 0?
    """
    logits = normal_tensor(2, 3, 5, seed=1)
    some, none = torch.tensor([[1, 2, 2], [2, 2, 2]]), torch.full((2, 3), 2)
    for smoothing in (0.0, 0.3):
        loss = student.label_smoothed_loss(logits, some, smoothing, 2)
        check_shape(loss, ())
        check_that(bool(loss > 0), "the loss of random logits is not positive")
        check_close(student.label_smoothed_loss(logits, none, smoothing, 2), torch.tensor(0.0, dtype=torch.float64))


@given(seeds())
def test_loss_is_stable_with_its_gradient(student, seed):
    """label_smoothed_loss: large logits do not overflow, and the gradient is exact.

    Hint: log and softmax are one operation, log_softmax. The gradient is (softmax − smoothed target) / tokens.
    """
    targets = padded(token_ids(2, 4, 7, seed, pad_id=0), (4, 2), 0)
    for scale in (1.0, 1000.0):
        logits = normal_tensor(2, 4, 7, seed=seed, scale=scale, requires_grad=True)
        other = logits.detach().clone().requires_grad_()
        loss = student.label_smoothed_loss(logits, targets, 0.1, 0)
        expected = functional.cross_entropy(other.flatten(0, 1), targets.flatten(), ignore_index=0, label_smoothing=0.1)
        check_values(loss, expected.detach())
        check_that(loss.requires_grad, "the loss is detached from the graph")
        loss.backward()
        expected.backward()
        check_close(logits.grad, other.grad)


# --- greedy_decode ---------------------------------------------------------------------------------------------------

# Lines of 6 tokens; token 2 ends a sentence. The tokens after an end are never part of the result.
SCRIPT = [
    [5, 3, 2, 6, 6, 5],
    [3, 3, 4, 1, 5, 3],
    [2, 5, 5, 2, 3, 6],
    [6, 5, 3, 6, 2, 1],
]
END = 2


def write(student, rows, *, start_id=1, pad_id=0, max_length=6, training=False):
    """Decode these rows of the script; return the tokens and the model's mode afterwards."""
    model = helpers(student, _SCRIPTED).scripted(SCRIPT, 7, start_id, END, pad_id)
    model.train(training)
    source = torch.tensor([[row, 3, 5] for row in rows])
    written = student.greedy_decode(model, source, start_id, END, max_length)
    return written, remote_value(model, "training")


def test_greedy_writes_the_likeliest(student):
    """greedy_decode: each token is the most likely after the tokens written so far.

    Hint: the logits at the last position are for the next token. Each step reads all tokens written so far.
    """
    # Each batch has a single row that does not end: other checks cover the end of a row.
    for row, count in ((1, 6), (0, 2), (3, 4), (1, 1)):
        written, _ = write(student, [row], max_length=count)
        check_close(written, torch.tensor([SCRIPT[row][:count]]), axes="batch, length")


def test_greedy_writes_each_row_by_itself(student):
    """greedy_decode: each row of a batch is decoded for its own source.

    Hint: argmax is over the vocabulary, for each row.
    """
    written, _ = write(student, [3, 1, 0], max_length=2)
    check_close(written, torch.tensor([SCRIPT[row][:2] for row in (3, 1, 0)]), axes="batch, length")


def test_greedy_fills_up_after_the_end(student):
    """greedy_decode: a row that has ended is filled with `pad_id`.

    Hint: keep track of the rows that have ended, even those that end first; their later predictions do not count.
    """
    for pad_id in (0, 4):
        written, _ = write(student, [0, 1, 2], pad_id=pad_id)
        rows = [[5, 3, 2, *[pad_id] * 3], SCRIPT[1], [2, *[pad_id] * 5]]
        check_close(written, torch.tensor(rows), axes="batch, length")


def test_greedy_stops_when_all_have_ended(student):
    """greedy_decode: the result is no longer than its longest row.

    Hint: stop when all rows have ended.
    """
    for rows, length in (([0], 3), ([0, 2, 3], 5), ([2], 1)):
        written, _ = write(student, rows)
        check_shape(written, (len(rows), length), axes="batch, length")
        check_equal(int(written[0, 0]), SCRIPT[rows[0]][0], says="the first token is not the most likely token")


def test_greedy_starts_with_padding_where_told(student):
    """greedy_decode: `start_id` can equal `pad_id`.

    Hint: decide that a row has ended by the tokens written, not by tokens that look like padding.
    """
    written, _ = write(student, [3, 1], start_id=0, pad_id=0, max_length=4)
    check_close(written, torch.tensor([SCRIPT[3][:4], SCRIPT[1][:4]]), axes="batch, length")


def test_greedy_leaves_the_mode_as_it_was(student):
    """greedy_decode: the model keeps its train/eval mode.

    Hint: read `model.training` before you change it.
    """
    for training in (True, False):
        written, mode = write(student, [1], max_length=3, training=training)
        check_shape(written, (1, 3), axes="batch, length")
        check_equal(int(written[0, 0]), SCRIPT[1][0], says="the first token is not the most likely token")
        check_equal(mode, training, says="the train/eval mode of the model has changed")


# --- warmup_rate -----------------------------------------------------------------------------------------------------


@given(sizes(min_size=2, max_size=600), sizes(min_size=2, max_size=4000))
def test_warmup_rate_follows_the_formula(student, d_model, warmup):
    """warmup_rate: the rate rises linearly until `warmup`, then falls as 1/√step.

    Hint: the smaller of the two terms counts. Where are they equal?
    """
    peak = 1 / math.sqrt(d_model * warmup)
    for step in (1, 2, warmup // 2 or 1, warmup - 1, warmup, warmup + 1, 2 * warmup, 100 * warmup):
        expected = peak * step / warmup if step < warmup else peak * math.sqrt(warmup / step)
        check_close(student.warmup_rate(step, d_model, warmup), expected)
