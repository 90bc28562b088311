"""Hidden tests of the model: embeddings, blocks and pooler, and the masked-language head."""

import torch
from bert_oracles import (
    AXES,
    D_MODEL,
    LENGTH,
    SEGMENTS,
    VOCAB,
    bert_of,
    bert_shapes,
    check_state_names,
    config_of,
    embedded,
    embedding_shapes,
    head_logits,
    head_shapes,
    hidden_states,
    in_worker,
    loaded,
    state_of,
    states_of,
    token_ids,
)
from hypothesis import given
from torch.nn import functional

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_results,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_keeps_device, gradients
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

# --- BertEmbeddings --------------------------------------------------------------------------------------------------


def embeddings_of(student, seed, **options):
    """Create the student's embeddings in float64; return them and their state."""
    state = state_of(embedding_shapes(), seed)
    return loaded(student, student.BertEmbeddings(config_of(student, **options)), state), state


def check_varies(x, tokens):
    """Check that embeddings have the right shape and are not all equal."""
    check_shape(x, (*tokens.shape, D_MODEL), axes=AXES)
    check_that(bool(x.std() > 0), "all embeddings are equal")


def test_embeddings_have_the_modules_listed(student):
    """BertEmbeddings: the state dict holds three embeddings and a norm.

    Hint: `token`, `position` and `segment` have a row for each token, position and segment.
    """
    check_state_names(student.BertEmbeddings(config_of(student)), embedding_shapes())


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=LENGTH - 1))
def test_embeddings_are_added_and_normalised(student, seed, sizes):
    """BertEmbeddings: the result is the norm of token plus position plus segment embedding.

    Hint: positions are 0, 1, 2 …, the same in each row of the batch, whatever the segment. No factor on any of them.
    """
    for shape in (sizes, (3, 3), (1, LENGTH), (4, 1)):
        tokens, segments = token_ids(*shape, seed=seed), token_ids(*shape, seed=seed + 1, below=SEGMENTS)
        embeddings, state = embeddings_of(student, seed)
        found = embeddings(tokens, segments)
        check_values(found, embedded(state, tokens, segments), axes=AXES, accuracy=torch.float32)


@given(seeds())
def test_embeddings_without_segments_take_the_first(student, seed):
    """BertEmbeddings: without segments, all tokens are in segment 0.

    Hint: the embedding of segment 0 is added too.
    """
    tokens = token_ids(3, 5, seed=seed)
    embeddings, _ = embeddings_of(student, seed)
    found = embeddings(tokens)
    check_varies(found, tokens)
    check_values(found, embeddings(tokens, torch.zeros_like(tokens)), accuracy=torch.float32)
    moved = (found - embeddings(tokens, torch.ones_like(tokens))).abs().max()
    check_that(bool(moved > 1e-6), "the segments change nothing")


@given(seeds())
def test_embeddings_learn_all_their_rows(student, seed):
    """BertEmbeddings: gradients reach the rows that were read and the norm.

    Hint: look the rows up in the modules themselves; `detach` and `.data` leave the graph.
    """
    # Some libraries keep the row of token 0 constant, as that of padding.
    tokens = 1 + token_ids(2, 4, seed=seed, below=VOCAB - 1)
    segments = token_ids(2, 4, seed=seed + 1, below=SEGMENTS)
    embeddings, state = embeddings_of(student, seed)
    found = embeddings(tokens, segments)
    check_varies(found, tokens)
    check_that(found.requires_grad, "the result is detached from the graph")
    towards = normal_tensor(2, 4, D_MODEL, seed=seed + 2)
    found.backward(towards)
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in state.items()}
    (embedded(leaves, tokens, segments) * towards).sum().backward()
    reached = gradients(embeddings)
    for name, leaf in leaves.items():
        check_that(reached.get(name) is not None, "no gradient reaches a parameter")
        check_close(reached[name], leaf.grad, rtol=1e-3, atol=1e-4, says="a parameter gets the wrong gradient")


def test_embeddings_drop_in_training(student):
    """BertEmbeddings: dropout acts in training and not in eval mode.

    Hint: apply `nn.Dropout` with the rate of the configuration.
    """
    tokens = token_ids(5, LENGTH, seed=1)
    dropping, _ = embeddings_of(student, 1, dropout=0.3)
    check_varies(dropping(tokens), tokens)
    check_that(bool((dropping(tokens) - dropping(tokens)).abs().max() > 1e-6), "dropout does not act in training")
    plain, _ = embeddings_of(student, 1)
    check_values(dropping.eval()(tokens), plain(tokens), says="dropout acts in eval mode", accuracy=torch.float32)


def test_embeddings_keep_dtype_and_device(student):
    """BertEmbeddings: the result has the dtype of the parameters and the device of the tokens.

    Hint: create the positions with `device=tokens.device`.
    """
    tokens = token_ids(2, 5, seed=1)
    embeddings, _ = embeddings_of(student, 1)
    for dtype in (torch.bfloat16, torch.float64):
        embeddings.to(dtype)
        check_computes(embeddings, [tokens], [tokens.flip(1)])
        check_dtype(embeddings(tokens), dtype)
    check_keeps_device(student, embeddings, tokens)


# --- Bert ------------------------------------------------------------------------------------------------------------


def test_bert_has_the_modules_listed(student):
    """Bert: the state dict holds embeddings, blocks and pooler.

    Hint: post-norm blocks need no norm after the last block, and the pooler is one linear layer.
    """
    check_state_names(student.Bert(config_of(student)), bert_shapes(2))


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=LENGTH - 1))
def test_bert_gives_the_hidden_states(student, seed, sizes):
    """Bert: hidden states equal those of PyTorch's attention and norms with the same weights.

    Hint: embeddings with segments, then the blocks in order. They are post-norm: `norm_first=False`.
    """
    for num_blocks, shape in ((2, sizes), (1, (3, 3)), (3, (1, LENGTH))):
        tokens, segments = token_ids(*shape, seed=seed), token_ids(*shape, seed=seed + 1, below=SEGMENTS)
        bert, state = bert_of(student, seed, num_blocks)
        hidden, _ = check_results(bert(tokens, segments), 2)
        check_values(hidden, hidden_states(state, tokens, segments), axes=AXES, accuracy=torch.float32)


@given(seeds())
def test_bert_pools_the_first_position(student, seed):
    """Bert: the pooled state is tanh of the pooler at the first position.

    Hint: `hidden[:, 0]` is the hidden state of `[CLS]`.
    """
    for shape in ((3, 5), (4, 4), (1, 1)):
        tokens = token_ids(*shape, seed=seed)
        bert, state = bert_of(student, seed)
        hidden, pooled = states_of(bert, tokens)
        expected = functional.linear(hidden[:, 0].double(), state["pooler.weight"], state["pooler.bias"]).tanh()
        check_values(pooled, expected.detach(), axes="batch, d_model", accuracy=torch.float32)


@given(seeds())
def test_bert_reads_both_ways(student, seed):
    """Bert: the last token changes the first hidden state, and the first token the last.

    Hint: no causal mask.
    """
    tokens = token_ids(3, 6, seed=seed)
    bert, _ = bert_of(student, seed)
    hidden, _ = states_of(bert, tokens)
    for changed, seen in ((-1, 0), (0, -1), (-1, 2)):
        other = tokens.clone()
        other[:, changed] = (tokens[:, changed] + 1) % VOCAB
        moved = (states_of(bert, other)[0] - hidden)[:, seen].abs().amax(dim=-1).min()
        check_that(bool(moved > 1e-7), "a token does not change the hidden states on both of its sides")


@given(seeds())
def test_bert_passes_over_padding(student, seed):
    """Bert: tokens where the mask is False do not change the others, wherever they are.

    Hint: the blocks take masks (batch, query, key): a mask of keys is `mask[:, None, :]`.
    """
    tokens = token_ids(3, 7, seed=seed)
    padded, whole, holes = [1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 1, 0]
    bert, _ = bert_of(student, seed, sharp=5.0)
    for row, masks in ((0, (padded, whole, holes)), (1, (whole, padded, holes))):
        mask = torch.tensor(masks).bool()
        hidden, pooled = states_of(bert, tokens, mask=mask)
        other = torch.where(mask, tokens, (tokens + 3) % VOCAB)
        for found, expected in zip(states_of(bert, other, mask=mask), (hidden, pooled), strict=True):
            kept = mask if found.ndim == 3 else torch.ones(3).bool()
            says = "tokens that the mask blocks change the others"
            check_values(found[kept].detach(), expected[kept].detach(), says=says, accuracy=torch.float32)
        short, _ = states_of(bert, tokens[row : row + 1, :5])
        says = "a padded sequence differs from the same sequence without padding"
        check_values(hidden[row : row + 1, :5].detach(), short.detach(), says=says, accuracy=torch.float32)
        moved = (hidden[row, :5] - states_of(bert, tokens)[0][row, :5]).abs().max()
        check_that(bool(moved > 1e-7), "the mask changes nothing")


@given(seeds())
def test_bert_reads_all_without_a_mask(student, seed):
    """Bert: without a mask all tokens are real, and without segments all are in segment 0.

    Hint: token id 0 is a token like any other; only the mask says what is padding.
    """
    tokens = token_ids(4, 4, seed=seed)
    tokens[:, 2:] = 0
    bert, _ = bert_of(student, seed)
    found = states_of(bert, tokens)
    expected = states_of(bert, tokens, torch.zeros_like(tokens), torch.ones(4, 4).bool())
    check_values([state.detach() for state in found], [state.detach() for state in expected], accuracy=torch.float32)
    moved = (states_of(bert, tokens, torch.ones_like(tokens))[0] - found[0]).abs().max()
    check_that(bool(moved > 1e-7), "the segments change nothing")


@given(seeds())
def test_bert_learns_all_its_parameters(student, seed):
    """Bert: gradients reach every parameter, from the hidden and from the pooled states.

    Hint: do not copy or detach anything between the embeddings and the results.
    """
    tokens = 1 + token_ids(3, 5, seed=seed, below=VOCAB - 1)
    segments = token_ids(3, 5, seed=seed + 1, below=SEGMENTS)
    towards = [normal_tensor(3, 5, D_MODEL, seed=seed + 2), normal_tensor(3, D_MODEL, seed=seed + 3)]
    bert, state = bert_of(student, seed)
    moves = {name: normal_tensor(*tensor.shape, seed=seed + 50 + n) for n, (name, tensor) in enumerate(state.items())}
    states_of(bert, tokens, segments)
    by_gradient, by_moving = check_results(in_worker(student).slopes(bert, tokens, segments, towards, moves), 2)
    says = "no gradient reaches a parameter"
    check_equal([slope is None for slope in by_gradient], [False] * len(by_gradient), says=says)
    says = "the gradient of a parameter differs from the change of the results"
    check_close(by_gradient, by_moving, says=says, rtol=1e-2, atol=1e-2)


def test_bert_drops_in_every_block(student):
    """Bert: dropout acts in the embeddings and in every block, in training only.

    Hint: pass the rate of the configuration to the blocks.
    """
    tokens = token_ids(3, LENGTH, seed=1)
    bert, _ = bert_of(student, 1, dropout=0.2)
    drops = in_worker(student).blocks_that_drop(bert, normal_tensor(2, 5, D_MODEL, seed=2))
    check_equal(list(drops), [True, True], says="a block applies no dropout")
    found = states_of(bert.eval(), tokens)[0].detach()
    plain, _ = bert_of(student, 1)
    says = "dropout acts in eval mode"
    check_values(found, states_of(plain, tokens)[0].detach(), says=says, accuracy=torch.float32)


def test_bert_keeps_dtype_and_device(student):
    """Bert: the results have the dtype of the model and the device of the tokens.

    Hint: a mask or a segment that you create needs the device of the tokens.
    """
    tokens, mask = token_ids(2, 5, seed=1), torch.ones(2, 5).bool()
    bert, _ = bert_of(student)
    for dtype in (torch.bfloat16, torch.float64):
        bert.to(dtype)
        check_computes(bert, [tokens], [tokens.flip(1)])
        for state in states_of(bert, tokens):
            check_dtype(state, dtype)
    check_keeps_device(student, bert, tokens, mask=mask)


# --- MaskedLanguageHead ----------------------------------------------------------------------------------------------

LOGITS = "batch, length, vocab"


def head_of(student, seed, dtype=torch.float64):
    """Create the student's head and an embedding in float64; return both, the head's state and the table."""
    table = normal_tensor(VOCAB, D_MODEL, seed=seed + 300)
    head, embedding = in_worker(student).head_of(student.MaskedLanguageHead, table)
    state = state_of(head_shapes(), seed)
    return loaded(student, head, state), embedding, state, table


def test_head_has_the_parameters_listed(student):
    """MaskedLanguageHead: the state dict holds dense, norm and bias with the listed shapes.

    Hint: `bias` is an `nn.Parameter` with one number for each token.
    """
    head, *_ = head_of(student, 1)
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(head.state_dict().items())}
    listed = {name: shapes.get(name) for name in sorted(head_shapes())}
    check_equal(listed, dict(sorted(head_shapes().items())), says="a listed parameter is missing or has another shape")
    # A head may list the embedding that it shares.
    extra = [shape for name, shape in shapes.items() if name not in listed]
    says = "the head has parameters that are not listed"
    check_equal(sum(shape != (VOCAB, D_MODEL) for shape in extra) + max(len(extra) - 1, 0), 0, says=says)


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=7))
def test_head_gives_the_logits(student, seed, sizes):
    """MaskedLanguageHead: the logits are norm(gelu(dense(h))) times the embedding, plus bias.

    Hint: linear, GELU, norm, in this order; the GELU is the exact one.
    """
    for shape in (sizes, (3, 3), (1, 1)):
        head, _, state, table = head_of(student, seed)
        for scale in (4.0, 10.0):  # large: epsilon has hardly an effect
            hidden = normal_tensor(*shape, D_MODEL, seed=seed, scale=scale)
            found = head(hidden)
            check_shape(found, (*shape, VOCAB), axes=LOGITS)
            check_close(found.double(), head_logits(state, table, hidden), rtol=1e-4, atol=5e-5)


@given(seeds())
def test_head_is_tied_to_the_embedding(student, seed):
    """MaskedLanguageHead: the output matrix is the embedding's own weight, and learns there.

    Hint: keep the embedding, or its parameter; a copy stays behind when the embedding learns.
    """
    hidden = normal_tensor(3, 4, D_MODEL, seed=seed)
    head, embedding, _, table = head_of(student, seed)
    before = head(hidden)
    check_shape(before, (3, 4, VOCAB), axes=LOGITS)
    in_worker(student).set_weight(embedding, torch.zeros_like(table))
    bias = head(hidden).detach()
    in_worker(student).set_weight(embedding, 2 * table)
    doubled = head(hidden).detach()
    says = "the logits do not follow the embedding"
    check_values(doubled - bias, 2 * (before.detach() - bias), says=says, accuracy=torch.float32)
    check_that(bool((before - bias).abs().max() > 1e-6), "the logits do not depend on the embedding")
    towards = normal_tensor(3, 4, VOCAB, seed=seed + 1)
    found = in_worker(student).weight_gradient(head, embedding, hidden, towards)
    check_that(type(found) is torch.Tensor, "no gradient reaches the embedding from the head")
    # The logits are linear in the embedding: along the embedding itself, the gradient gives what it adds to them.
    expected = ((doubled - bias) * towards).sum().item() / 2
    says = "the embedding gets the wrong gradient from the head"
    check_close((found * table).sum().item(), expected, rtol=1e-3, atol=1e-3, says=says)


@given(seeds())
def test_head_learns_all_its_parameters(student, seed):
    """MaskedLanguageHead: gradients reach the hidden states and all parameters.

    Hint: do not copy or detach anything between the hidden states and the logits.
    """
    hidden = normal_tensor(2, 3, D_MODEL, seed=seed, scale=4.0, requires_grad=True)
    towards = normal_tensor(2, 3, VOCAB, seed=seed + 1)
    head, _, state, table = head_of(student, seed)
    logits = head(hidden)
    check_shape(logits, (2, 3, VOCAB), axes=LOGITS)
    check_that(logits.requires_grad, "the logits are detached from the graph")
    logits.backward(towards)
    leaf = hidden.detach().clone().requires_grad_()
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in state.items()}
    (head_logits(leaves, table, leaf) * towards).sum().backward()
    reached = gradients(head) | {"hidden": hidden.grad}
    for name, expected in (leaves | {"hidden": leaf}).items():
        check_that(reached.get(name) is not None, "no gradient reaches a parameter or the hidden states")
        says = "a parameter or the hidden states get the wrong gradient"
        check_close(reached[name], expected.grad, rtol=1e-3, atol=1e-4, says=says)


def test_head_keeps_the_dtype(student):
    """MaskedLanguageHead: the logits have the dtype of the hidden states.

    Hint: `.float()` changes the dtype.
    """
    hidden = normal_tensor(2, 3, D_MODEL, seed=1)
    head, embedding, _, _ = head_of(student, 1)
    check_computes(head, [hidden], [-hidden])
    check_dtype(head(hidden), torch.float64)
    for module in (head, embedding):
        module.to(torch.bfloat16)
    check_dtype(head(hidden.bfloat16()), torch.bfloat16)
