"""Hidden tests of the whole Transformer: PyTorch's layers with the same weights are the oracle."""

import torch
from differences import check_differentiates
from drawn_tokens import PAD, padded, token_ids
from remote_modules import helpers, load, made
from transformer_oracles import embedded, state_of, torch_logits, torch_memory, transformer_shapes

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_raises,
    check_shape,
    check_that,
)
from autograder.judge.probes import check_computes, check_keeps_device, remote_value
from autograder.judge.strategies import normal_tensor

# Seed of the checks that loop over all their cases themselves.
SEED = 1
SOURCE_VOCAB, TARGET_VOCAB, D_MODEL, HEADS, D_HIDDEN, MAX_LENGTH = 11, 13, 6, 3, 8, 20
# The tolerance accepts sinusoids, norms and softmax that were computed in float32.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
AXES = "batch, length, d_model"
LOGITS = "batch, target, vocab"
# Different sizes, sizes of 1, equal sizes and the longest sentences, as (batch, source, target).
SIZES = ((2, 4, 3), (4, 2, 5), (1, 1, 1), (3, 3, 3), (2, MAX_LENGTH, MAX_LENGTH))

_CATCH = """
class Caught(Exception):
    pass

def read_by(model, name, *inputs):
    # Return the input of the encoder or the decoder without running it. Its first block reads the same.
    caught = []
    def catch(module, args, kwargs):
        caught.append(args[0] if args else kwargs["x"])
        raise Caught
    stack = getattr(model, name)
    hooks = [module.register_forward_pre_hook(catch, with_kwargs=True) for module in (stack, stack.blocks[0])]
    try:
        model(*inputs) if name == "decoder" else model.encode(*inputs)
    except Caught:
        return caught[0]
    finally:
        for hook in hooks:
            hook.remove()
    return None
"""

_RANDOM_BLOCKS = """
import torch

def blocks_that_drop(model, x):
    # For each block, whether two calls give different results.
    encoder = [not torch.equal(block(x), block(x)) for block in model.encoder.blocks]
    return encoder + [not torch.equal(block(x, x), block(x, x)) for block in model.decoder.blocks]
"""


def transformer(student, seed=0, num_blocks=1, pad_id=PAD, **options):
    """Create the student's model in float64; return it and its state. Where `pad_id` is None it uses its default."""
    if pad_id is not None:
        options["pad_id"] = pad_id
    shapes = transformer_shapes(SOURCE_VOCAB, TARGET_VOCAB, D_MODEL, num_blocks, D_HIDDEN)
    state = state_of(shapes, seed)
    sizes = (SOURCE_VOCAB, TARGET_VOCAB, D_MODEL, HEADS, num_blocks, D_HIDDEN, MAX_LENGTH)
    return made(student, student.Transformer, *sizes, state=state, **options), state


def varied(result):
    """Return the result; fail one that is not finite or is constant."""
    check_finite(result)
    check_that(bool(result.max() > result.min()), "all values of the result are equal")
    return result


def sentences(batch, source_length, target_length, seed):
    """Draw a source and a target without padding."""
    source = token_ids(batch, source_length, SOURCE_VOCAB, seed)
    return source, token_ids(batch, target_length, TARGET_VOCAB, seed + 1)


def padded_source(seed, batch, pad_id, length=6):
    """Draw sources that end in padding; one has padding between its tokens too, where it is masked as well."""
    source = token_ids(batch, length, SOURCE_VOCAB, seed, pad_id=pad_id)
    source[0, 1] = pad_id
    return padded(source, range(3, 3 + batch), pad_id)


def test_transformer_has_the_modules_listed(student):
    """Transformer: the state dict holds the listed modules, and no sinusoids.

    Hint: tensors that are computed in each call, or registered with `persistent=False`, are not in the state dict. Each
    language has its own embedding.
    """
    for target_vocab in (TARGET_VOCAB, SOURCE_VOCAB):
        model = student.Transformer(SOURCE_VOCAB, target_vocab, D_MODEL, HEADS, 2, D_HIDDEN, MAX_LENGTH)
        shapes = {name: tuple(tensor.shape) for name, tensor in sorted(model.state_dict().items())}
        expected = transformer_shapes(SOURCE_VOCAB, target_vocab, D_MODEL, 2, D_HIDDEN)
        says = "the names in the state dict differ from those of the listed modules"
        check_equal(sorted(shapes), sorted(expected), says=says)
        says = "the shape of a parameter differs from that in the listed modules"
        check_equal(shapes, dict(sorted(expected.items())), says=says)
    state = state_of(expected, 9)
    load(student, model.double(), state)
    found = dict(sorted(model.state_dict().items()))
    check_close(found, dict(sorted(state.items())), says="two modules share a parameter")


def test_transformer_embeds_tokens_and_places(student):
    """Transformer: the stacks read the embedding times √d_model, plus the sinusoids.

    Hint: multiply only the embedding. Positions count from 0, and each language has its own embedding.
    """
    model, state = transformer(student, SEED)
    for batch, source_length, target_length in SIZES:
        source, target = sentences(batch, source_length, target_length, SEED)
        found = helpers(student, _CATCH).read_by(model, "decoder", source, target)
        check_close(found, embedded(state["target_embedding.weight"], target), axes=AXES, **CLOSE)
        found = helpers(student, _CATCH).read_by(model, "encoder", source)
        check_close(found, embedded(state["source_embedding.weight"], source), axes=AXES, **CLOSE)


def test_transformer_encodes_with_its_encoder(student):
    """Transformer: the memory is the encoder's output for the embedded source.

    Hint: embed, then encode.
    """
    model, state = transformer(student, SEED)
    for batch, length, _ in SIZES:
        source = token_ids(batch, length, SOURCE_VOCAB, SEED)
        expected = torch_memory(state, HEADS, source, PAD)
        check_close(varied(model.encode(source)), expected, axes=AXES, **CLOSE)


def test_transformer_encodes_past_padding(student):
    """Transformer: source padding does not change the memory of real tokens, for any `pad_id`.

    Hint: the encoder needs a mask (batch, 1, key) that is True where a token is not `pad_id`.
    """
    for pad_id, batch in ((0, 2), (10, 3), (PAD, 6)):
        source = padded_source(SEED, batch, pad_id)
        model, state = transformer(student, pad_id=pad_id or None)  # 0 is the default
        check_equal(remote_value(model, "pad_id"), pad_id, says="the attribute `pad_id` has the wrong value")
        memory = varied(model.encode(source))
        check_shape(memory, (batch, source.shape[1], D_MODEL), axes=AXES)
        real = source != pad_id
        check_close(memory[real], torch_memory(state, HEADS, source, pad_id)[real], **CLOSE)
        check_finite(model.encode(torch.full_like(source, pad_id)))


def test_transformer_decodes_with_its_decoder(student):
    """Transformer: the logits are the output projection of the decoder's output.

    Hint: embed, decode with the memory, project; do not apply a softmax.
    """
    model, state = transformer(student, SEED)
    for batch, source_length, target_length in SIZES:
        source, target = sentences(batch, source_length, target_length, SEED)
        memory = normal_tensor(batch, source_length, D_MODEL, seed=SEED + 2)
        logits = varied(model.decode(target, memory, source))
        check_close(logits, torch_logits(state, HEADS, target, memory, source, PAD), axes=LOGITS, **CLOSE)


def test_transformer_decodes_past_padding(student):
    """Transformer: the decoder does not read the memory where the source is padding.

    Hint: cross-attention needs the source's mask too.
    """
    # The text may be as long as the source: a mask with the wrong axes would fit then.
    for pad_id, batch, length in ((0, 2, 5), (10, 3, 6), (PAD, 6, 6)):
        source = padded_source(SEED, batch, pad_id)
        target = token_ids(batch, length, TARGET_VOCAB, SEED + 1, pad_id=pad_id)
        memory = normal_tensor(batch, source.shape[1], D_MODEL, seed=SEED + 2)
        model, state = transformer(student, pad_id=pad_id)
        logits = varied(model.decode(target, memory, source))
        check_close(logits, torch_logits(state, HEADS, target, memory, source, pad_id), axes=LOGITS, **CLOSE)
        check_finite(model.decode(target, memory, torch.full_like(source, pad_id)))


def test_transformer_does_not_mask_the_target(student):
    """Transformer: a target token equal to `pad_id` is read like any other token.

    Hint: the start token can equal `pad_id`, and the causal mask already hides padding on the right. Look at your
    decoder's mask.
    """
    source, target = sentences(2, 5, 4, SEED)
    target[:, 0] = PAD
    target[1, 2] = PAD
    memory = normal_tensor(2, 5, D_MODEL, seed=SEED + 2)
    model, state = transformer(student)
    logits = varied(model.decode(target, memory, source))
    check_close(logits, torch_logits(state, HEADS, target, memory, source, PAD), axes=LOGITS, **CLOSE)


def test_transformer_gives_the_logits(student):
    """Transformer: the logits equal those of PyTorch's layers with the same weights.

    Hint: this check passes last; the other checks show which part is wrong.
    """
    for num_blocks, (source_length, target_length) in ((2, (5, 6)), (3, (4, 4))):
        source, target = sentences(3, source_length, target_length, SEED)
        source = padded(source, (source_length, 2, 3))
        target = padded(target, (target_length, 3, 2))
        target[:, 0] = PAD
        model, state = transformer(student, SEED, num_blocks=num_blocks)
        memory = torch_memory(state, HEADS, source, PAD)
        expected = torch_logits(state, HEADS, target, memory, source, PAD)
        check_close(model(source, target), expected, axes=LOGITS, **CLOSE)


def test_transformer_refuses_what_is_too_long(student):
    """Transformer: only more than `max_length` tokens raise ValueError.

    Hint: compare the number of tokens with max_length before you add the sinusoids, in both languages.
    """
    model, _ = transformer(student)
    fits, long = (sentences(2, length, length, seed=3) for length in (MAX_LENGTH, MAX_LENGTH + 1))
    check_shape(model(*fits), (2, MAX_LENGTH, TARGET_VOCAB), axes=LOGITS)
    memory = normal_tensor(2, MAX_LENGTH, D_MODEL, seed=5)
    with check_raises(ValueError, says="a source longer than max_length raises no ValueError"):
        model.encode(long[0])
    with check_raises(ValueError, says="a target longer than max_length raises no ValueError"):
        model.decode(long[1], memory, fits[0])


def test_transformer_learns_all_its_parameters(student):
    """Transformer: gradients reach every parameter and every embedding row that is read.

    Hint: `padding_idx` excludes a row of an embedding from training, and the start token can be that row.
    """
    source, target = sentences(2, 4, 3, SEED)
    target[:, 0] = PAD
    model, state = transformer(student)
    check_differentiates(student, model, state, [], SEED, call=lambda: model(source, target))


def test_transformer_drops_in_all_its_places(student):
    """Transformer: dropout acts on embeddings and in every block, in training only.

    Hint: apply dropout after the sinusoids are added, and pass the rate to the encoder and the decoder.
    """
    rate = 0.2
    model, state = transformer(student, num_blocks=2, dropout=rate)
    source, target = sentences(20, MAX_LENGTH, MAX_LENGTH, SEED)
    plain, _ = transformer(student, num_blocks=2)
    check_close(varied(model.eval()(source[:2], target[:2])), plain(source[:2], target[:2]), **CLOSE)
    model.train()
    drops = helpers(student, _RANDOM_BLOCKS).blocks_that_drop(model, normal_tensor(2, 5, D_MODEL, seed=SEED + 2))
    check_equal(drops, [True] * 4, says="a block of the encoder or the decoder applies no dropout")
    for name, inputs, whole in (
        ("decoder", (source, target), embedded(state["target_embedding.weight"], target)),
        ("encoder", (source,), embedded(state["source_embedding.weight"], source)),
    ):
        found = helpers(student, _CATCH).read_by(model, name, *inputs)
        check_shape(found, tuple(whole.shape), axes=AXES)
        dropped = found == 0
        share = dropped.double().mean().item()
        # The mean is 480 of 2400; the tolerance is seven standard deviations.
        check_that(abs(share - rate) < 0.058, "dropout does not act on the embeddings at its rate")
        check_close(found, torch.where(dropped, 0.0, whole / (1 - rate)), **CLOSE)


def test_transformer_keeps_dtype_and_device(student):
    """Transformer: results have the dtype of the model and the device of the tokens.

    Hint: the sinusoids have PyTorch's default dtype: convert them to the dtype of the embedding.
    """
    source, target = sentences(2, 5, 4, 1)
    model = student.Transformer(SOURCE_VOCAB, TARGET_VOCAB, D_MODEL, HEADS, 1, D_HIDDEN, MAX_LENGTH, 0.0, PAD)
    for dtype in (torch.bfloat16, torch.float64):
        model.to(dtype)
        check_computes(model, [source, target], [source, target.flip(1)])
        check_dtype(model.encode(source), dtype)
        check_dtype(model(source, target), dtype)
    check_keeps_device(student, model, source, target)
