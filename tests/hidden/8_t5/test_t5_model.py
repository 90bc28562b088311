"""Hidden tests of T5. Oracles: PyTorch's functions with the same weights; influences; differences of its results."""

import torch
from hypothesis import given
from t5_oracles import (
    BUCKETS,
    D_HIDDEN,
    D_MODEL,
    DISTANCE,
    FLOAT32,
    HEADS,
    PAD,
    VOCAB,
    check_share,
    gap_batches,
    in_worker,
    letter_loss,
    padded,
    state_of,
    t5_hidden,
    t5_logits,
    t5_memory,
    t5_shapes,
    t5_with,
    token_ids,
)

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_results,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import normal_tensor, seeds

LOGITS, HIDDEN = "batch, target, vocab", "batch, length, d_model"


def model_of(student, seed=1, num_blocks=2, *, silent=(), zero=(), **options):
    """Create the student's T5; return it and its state.

    Args:
        student: the submission.
        seed: seed of the parameters.
        num_blocks: number of blocks.
        silent: names of modules of a block whose output projections are zero.
        zero: parts of names of parameters that are zero.
        options: options of the configuration.
    """
    state = without(state_of(t5_shapes(num_blocks), seed), silent, zero)
    return t5_with(student, state, **options), state


def without(state, silent, zero):
    """Return the state with the output projections of these modules, and the parameters with these names, at zero."""
    parts = [*(f".{branch}.output_proj." for branch in silent), *zero]
    return {
        name: torch.zeros_like(tensor) if [part for part in parts if part in name] else tensor
        for name, tensor in state.items()
    }


def texts(batch, source_length, target_length, seed):
    """Draw a source and a target without padding."""
    return token_ids(batch, source_length, seed=seed), token_ids(batch, target_length, seed=seed + 1)


def seen_by(student, model, names, source, target):
    """Return the logits, and what each named module read and returned."""
    logits, seen = check_results(in_worker(student).watch(model, list(names), source, target), 2)
    check_shape(logits, (*target.shape, VOCAB), axes=LOGITS)
    for pair in seen:
        check_that(pair is not None, "a listed module is not called")
    return logits, seen


def memory_of(student, model, source, target):
    """Return the output of the encoder's norm."""
    _, [(_, memory)] = seen_by(student, model, ["encoder.norm"], source, target)
    check_shape(memory, (*source.shape, D_MODEL), axes=HIDDEN)
    return memory


def check_decoder(student, model, state, source, target, pad_id=PAD):
    """Check the output of the decoder's norm, and that it gives the logits. A wrong scale costs its own check only."""
    logits, [(_, hidden)] = seen_by(student, model, ["decoder.norm"], source, target)
    check_values(hidden, t5_hidden(state, source, target, pad_id), axes=HIDDEN, accuracy=FLOAT32)
    product = (hidden @ state["embedding.weight"].T).detach()
    found = float((logits.detach() * product).sum() / product.square().sum())
    scale = min((D_MODEL**power for power in (-1, -0.5, 0, 0.5)), key=lambda scale: abs(scale - found))
    check_values(logits, scale * product, axes=LOGITS, accuracy=FLOAT32)


def test_t5_has_the_modules_listed(student):
    """T5: the state dict holds the listed modules, one bias for each stack, and no output matrix.

    Hint: the position bias belongs to the stack, not to its blocks, and the embedding's weight is also the output's.
    """
    config = student.T5Config(VOCAB, D_MODEL, HEADS, 2, D_HIDDEN, BUCKETS, DISTANCE)
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(student.T5(config).state_dict().items())}
    expected = t5_shapes(2)
    says = "the names in the state dict differ from those of the listed modules"
    check_equal(sorted(shapes), sorted(expected), says=says)
    says = "the shape of a parameter differs from that in the listed modules"
    check_equal(shapes, dict(sorted(expected.items())), says=says)


def test_t5_reads_plain_embeddings(student):
    """T5: the first blocks read the rows of the shared embedding, not scaled, without positions.

    Hint: T5 knows positions from the bias alone.
    """
    model, state = model_of(student, num_blocks=1)
    for shape in ((3, 5, 4), (3, 3, 3)):
        source, target = texts(*shape, seed=2)
        _, seen = seen_by(student, model, ["encoder.blocks.0", "decoder.blocks.0"], source, target)
        for (read, _), tokens in zip(seen, (source, target), strict=True):
            check_values(read, state["embedding.weight"][tokens], axes=HIDDEN, accuracy=FLOAT32)


@given(seeds())
def test_t5_encodes(student, seed):
    """T5: the output of the encoder is that of PyTorch's functions with the same weights.

    Hint: pre-norm blocks with RMS norms, the bidirectional bias in each block, and the norm at the end.
    """
    # In vectors of a thousandth, the eps of the norms counts.
    for num_blocks, shape, size in ((2, (2, 9, 3), 1.0), (1, (3, 3, 3), 1.0), (3, (1, 5, 4), 1e-3)):
        source, target = texts(*shape, seed=seed)
        state = state_of(t5_shapes(num_blocks), seed)
        state["embedding.weight"] = size * state["embedding.weight"]
        memory = memory_of(student, t5_with(student, state), source, target)
        check_values(memory, t5_memory(state, source), axes=HIDDEN, accuracy=FLOAT32)


def test_t5_encoder_shares_a_bidirectional_bias(student):
    """T5: every block of the encoder adds the same bidirectional bias to its scores.

    Hint: compute the bias once for the stack, and pass it to all of its blocks.
    """
    # Without queries, the bias alone decides where the attention looks.
    model, state = model_of(student, 3, 3, zero=["query_proj"])
    source, target = texts(2, 9, 3, seed=4)
    memory = memory_of(student, model, source, target)
    check_values(memory, t5_memory(state, source), axes=HIDDEN, accuracy=FLOAT32)


def test_t5_encodes_past_padding(student):
    """T5: the encoder does not read padding.

    Hint: the mask of the source is `(batch, 1, source)`: it blocks keys, for every query.
    """
    for pad_id, batch, length in ((PAD, 3, 6), (0, 6, 6), (VOCAB - 1, 2, 5)):
        tokens, target = token_ids(batch, length, seed=5, pad_id=pad_id), token_ids(batch, 3, seed=6)
        lengths = [1 + row % length for row in range(2, 2 + batch)]
        source = padded(tokens, lengths, pad_id)
        model, state = model_of(student, 5, 1, pad_id=pad_id)
        memory, expected = memory_of(student, model, source, target), t5_memory(state, source, pad_id)
        real = source != pad_id
        check_values(memory[real], expected[real], accuracy=FLOAT32)
        check_finite(memory_of(student, model, torch.full_like(source, pad_id), target))


def test_t5_decodes_past_padding(student):
    """T5: the decoder does not read the memory where the source is padding.

    Hint: cross-attention needs the mask of the source as well.
    """
    # The encoder adds nothing: what is read from padding can only come from the cross-attention.
    silent = ["attention"]
    for pad_id, batch, length in ((PAD, 3, 6), (0, 6, 6)):
        tokens, target = token_ids(batch, length, seed=5, pad_id=pad_id), token_ids(batch, 6, seed=6, pad_id=pad_id)
        source = padded(tokens, [1 + row % length for row in range(2, 2 + batch)], pad_id)
        model, state = model_of(student, 7, 1, silent=silent, pad_id=pad_id)
        check_decoder(student, model, state, source, target, pad_id)
        check_finite(model(torch.full_like(source, pad_id), target))


def test_t5_does_not_mask_the_target(student):
    """T5: a target token equal to `pad_id` is read like any other token.

    Hint: T5 starts with `pad_id`, and the causal mask hides padding on the right.
    """
    source, target = texts(2, 5, 4, seed=8)
    target[:, 0] = PAD
    target[1, 2] = PAD
    model, state = model_of(student, 8, 1)
    check_decoder(student, model, state, source, target)


def test_t5_never_sees_what_comes_later(student):
    """T5: a target token changes the logits at its own and later positions only.

    Hint: the self-attention of each decoder block needs the causal mask.
    """
    model, _ = model_of(student, 9)
    source, target = texts(2, 5, 7, seed=9)
    before = model(source, target)
    check_shape(before, (2, 7, VOCAB), axes=LOGITS)
    for kept in (1, 4, 6):
        other = target.clone()
        other[:, kept:] = (target[:, kept:] + 1) % VOCAB
        after = model(source, other)
        says = "the logits change when later tokens change: the decoder sees what it is to predict"
        check_values(after[:, :kept], before[:, :kept], says=says, accuracy=FLOAT32)
        moved = (after[:, kept:] - before[:, kept:]).abs().amax(dim=(0, 2)).min()
        check_that(bool(moved > 1e-6), "a token does not change the logits at its own and later positions")


def test_t5_decoder_shares_a_unidirectional_bias(student):
    """T5: every self-attention of the decoder adds the same unidirectional bias.

    Hint: `bidirectional=False` in the decoder: all buckets are for the past.
    """
    model, state = model_of(student, 10, 3, silent=["cross_attention"], zero=["query_proj"])
    source, target = texts(2, 4, 9, seed=10)
    check_decoder(student, model, state, source, target)


def test_t5_cross_attention_has_no_bias(student):
    """T5: no bias is added to the scores of the cross-attention.

    Hint: a position in the target is not a position in the source.
    """
    model, state = model_of(student, 11, 1, silent=["self_attention", "attention"], zero=["query_proj"])
    for shape in ((2, 6, 6), (3, 5, 8)):
        source, target = texts(*shape, seed=11)
        check_decoder(student, model, state, source, target)


def test_t5_reads_the_memory(student):
    """T5: the cross-attentions read the normalised output of the encoder.

    Hint: queries come from the target, keys and values from the memory, in every block.
    """
    model, state = model_of(student, 12, 3, silent=["self_attention"])
    source, target = texts(3, 6, 4, seed=12)
    check_decoder(student, model, state, source, target)


def test_t5_ties_the_output_with_a_scale(student):
    """T5: the logits are the decoder's output times d_model^(-1/2) times the embedding's weight.

    Hint: the scale is applied before or after the product, once; no softmax follows.
    """
    model, state = model_of(student, 13, 1)
    for shape in ((2, 5, 4), (3, 3, 3)):
        source, target = texts(*shape, seed=13)
        logits, [(_, hidden)] = seen_by(student, model, ["decoder.norm"], source, target)
        check_shape(hidden, (*target.shape, D_MODEL), axes=HIDDEN)
        expected = hidden @ state["embedding.weight"].T / D_MODEL**0.5
        check_values(logits, expected, axes=LOGITS, accuracy=FLOAT32)


@given(seeds())
def test_t5_gives_the_logits(student, seed):
    """T5: the logits equal those of PyTorch's functions with the same weights.

    Hint: this check passes last; the other checks show which part is wrong.
    """
    for num_blocks, (batch, source_length, target_length) in ((2, (3, 5, 9)), (1, (4, 4, 4)), (3, (1, 9, 2))):
        source, target = texts(batch, source_length, target_length, seed)
        source[0] = padded(source, [2] * batch)[0]
        model, state = model_of(student, seed, num_blocks)
        check_values(model(source, target), t5_logits(state, source, target), axes=LOGITS, accuracy=FLOAT32)


def test_t5_learns_all_its_parameters(student):
    """T5: gradients reach every parameter, through every place in which it is used.

    Hint: the embedding is used in three places, also for the token that starts the target; `padding_idx` freezes a row.
    """
    model, state = model_of(student, 14)
    source, target = texts(2, 6, 5, seed=14)
    target[:, 0] = PAD
    towards = normal_tensor(2, 5, VOCAB, seed=15)
    moves = {
        name: normal_tensor(*tensor.shape, seed=200 + number) / 10
        for number, (name, tensor) in enumerate(sorted(state.items()))
    }
    found = in_worker(student).slope(model, source, target, towards, moves)
    by_gradient, by_difference, reached = check_results(found, 3)
    check_equal(reached, [True] * len(moves), says="no gradient reaches a listed parameter")
    check_that(abs(by_difference) > 1e-3, "the logits do not depend on the parameters")
    says = "the gradients of the parameters differ from the change of the logits"
    check_close(by_gradient, by_difference, rtol=1e-3, atol=1e-3, says=says)


def test_t5_learns_from_gaps(student, targets):
    """T5: trained for 40 steps on texts with gaps, it fills the gaps of other texts better.

    Hint: the gradients must reach everything that the answer needs: the encoder, the cross-attention, the embedding.
    """
    *batches, (source, target, labels) = gap_batches(41, 16, seed=6)
    model = t5_with(student, state_of(t5_shapes(1, d_model=12, d_hidden=24), 6), pad_id=0)
    before = letter_loss(model(source, target), labels)
    model = in_worker(student).train(model, batches, 0.02)
    gain = before - letter_loss(model(source, target), labels)
    check_that(gain >= targets["least_span_gain"], "the loss on other texts falls by too little in training")


def test_t5_drops_in_training_only(student):
    """T5: dropout acts on the embeddings in training, at its rate, and never in eval mode.

    Hint: dropout of both the source's and the target's embeddings, with the rate of the configuration.
    """
    rate = 0.2
    plain, state = model_of(student, 16)
    model, _ = model_of(student, 16, dropout=rate)
    source, target = texts(20, 10, 9, seed=16)
    check_close(model.eval()(source, target), plain(source, target), rtol=1e-4, atol=1e-5)
    model.train()
    _, seen = seen_by(student, model, ["encoder.blocks.0", "decoder.blocks.0"], source, target)
    for (read, _), tokens in zip(seen, (source, target), strict=True):
        whole = state["embedding.weight"][tokens]
        check_shape(read, tuple(whole.shape), axes=HIDDEN)
        dropped = read == 0
        check_share(dropped, rate, "dropout does not act on the embeddings at its rate")
        check_close(read, torch.where(dropped, 0.0, whole / (1 - rate)), rtol=1e-4, atol=1e-5)


def test_t5_drops_on_each_branch(student):
    """T5: dropout acts on each branch of each block, and on the hidden layers, at its rate.

    Hint: x + dropout(f(norm(x))) for every branch; the feed-forward layer takes the rate as well.
    """
    rate, names = 0.2, [f"{stack}.blocks.{number}" for stack in ("encoder", "decoder") for number in (0, 1)]
    branches = ("attention", "self_attention", "cross_attention", "feed_forward")
    source, target = texts(50, 10, 9, seed=17)
    for branch in branches:
        # With one hidden feature, dropping it removes the whole branch.
        silent = [name for name in branches if name != branch]
        state = state_of(t5_shapes(2, d_hidden=1), 17)
        state = without(state, silent, ["feed_forward.output_proj.bias"])
        _, seen = seen_by(student, t5_with(student, state, dropout=rate), names, source, target)
        own = names if branch == "feed_forward" else names[:2] if branch == "attention" else names[2:]
        for name, (read, written) in zip(names, seen, strict=True):
            added = written - read
            if name in own and branch != "feed_forward":
                check_share(added == 0, rate, "dropout does not act at its rate on a branch before it is added")
            elif name in own:
                gone = added.abs().amax(dim=-1) == 0
                check_share(gone, rate, "dropout does not act on the hidden layer at its rate")
                says = "dropout does not act at its rate on the feed-forward branch before it is added"
                check_share(added[~gone] == 0, rate, says)


def test_t5_keeps_dtype_and_device(student):
    """T5: the logits have the dtype of the model and the device of the tokens.

    Hint: create masks and positions on the device of the tokens.
    """
    source, target = texts(2, 5, 4, seed=19)
    model = student.T5(student.T5Config(VOCAB, D_MODEL, HEADS, 1, D_HIDDEN, BUCKETS, DISTANCE, PAD))
    for dtype in (torch.bfloat16, torch.float64):
        model.to(dtype)
        check_computes(model, [source, target], [source, target.flip(1)])
        check_dtype(model(source, target), dtype)
    check_keeps_device(student, model, source, target)


def test_t5_leaves_the_tokens_alone(student):
    """T5: source and target are not changed in place.

    Hint: the model reads tokens; it shifts and replaces none.
    """
    source, target = texts(2, 5, 4, seed=20)
    source = padded(source, [3, 5])
    model, _ = model_of(student)
    check_computes(model, [source, target], [source, target.flip(1)])
    check_inputs_unchanged(student, model, source, target)
