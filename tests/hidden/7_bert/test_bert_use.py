"""Hidden tests of what BERT is used for: the loss, filled masks and a classifier."""

import math

import pretrained
import torch
from bert_oracles import D_MODEL, SEGMENTS, VOCAB, bert_of, bert_shapes, in_worker, loaded, state_of, token_ids
from hypothesis import given
from torch.nn import functional

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
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

# --- masked_language_loss --------------------------------------------------------------------------------------------


def labels_of(batch, length, vocab, seed, *, every=3):
    """Draw labels; all but every third one are -100, and at least one is not."""
    labels = token_ids(batch, length, seed=seed, below=vocab)
    chosen = torch.arange(batch * length).reshape(batch, length) % every == 0
    return labels.masked_fill(~chosen, -100)


def surprise(logits, labels):
    """Compute the loss in a loop over the labels, in Python floats."""
    losses = []
    for row, label in zip(logits.flatten(0, -2).tolist(), labels.flatten().tolist(), strict=True):
        if label != -100:
            top = max(row)
            losses.append(top + math.log(sum(math.exp(value - top) for value in row)) - row[label])
    return torch.tensor(sum(losses) / len(losses), dtype=torch.float64)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7))
def test_loss_is_the_mean_over_the_chosen(student, seed, sizes):
    """masked_language_loss: the loss is the mean of −log p(label) over the chosen tokens only.

    Hint: positions with the label -100 count neither in the sum nor in the divisor.
    """
    for (batch, length, vocab), every in ((sizes, 3), ((4, 4, 4), 2), ((1, 1, 2), 1), ((3, 5, 6), 15)):
        logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0)
        labels = labels_of(batch, length, vocab, seed, every=every)
        found = student.masked_language_loss(logits, labels)
        check_values(found, surprise(logits, labels), accuracy=torch.float32)
    uneven = token_ids(3, 6, seed=seed, below=5)
    uneven[0], uneven[1, 1:] = -100, -100  # sequences with none, one and six chosen tokens
    logits = normal_tensor(3, 6, 5, seed=seed, scale=3.0)
    check_values(student.masked_language_loss(logits, uneven), surprise(logits, uneven), accuracy=torch.float32)


@given(seeds())
def test_loss_of_nothing_is_zero(student, seed):
    """masked_language_loss: the loss is 0.0 when no token was chosen.

    Hint: what do you divide by?
    """
    logits = normal_tensor(2, 3, 5, seed=seed)
    check_close(student.masked_language_loss(logits, torch.full((2, 3), -100)), 0.0)
    some = student.masked_language_loss(logits, labels_of(2, 3, 5, seed))
    check_shape(some, ())
    check_that(bool(some > 0), "the loss is zero where tokens were chosen")


@given(seeds())
def test_loss_is_stable(student, seed):
    """masked_language_loss: logits of any size give the right loss and a finite gradient.

    Hint: the log of a softmax overflows or takes the log of 0; `log_softmax` and `cross_entropy` do not.
    """
    for scale in (1e3, 1e5):
        logits = normal_tensor(4, 3, 6, seed=seed, scale=scale, requires_grad=True)
        labels = labels_of(4, 3, 6, seed)
        loss = student.masked_language_loss(logits, labels)
        check_values(loss, surprise(logits.detach(), labels), accuracy=torch.float32)
        loss.backward()
        check_finite(logits.grad)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_loss_passes_gradients_to_the_chosen(student, seed, sizes):
    """masked_language_loss: gradients reach the chosen tokens and are 0 elsewhere.

    Hint: no operation between the logits and the loss may detach, round or use argmax.
    """
    batch, length, vocab = sizes
    logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0, requires_grad=True)
    labels = labels_of(batch, length, vocab, seed, every=2)
    counted = (labels != -100).unsqueeze(-1)
    right = functional.one_hot(labels.clamp(min=0), vocab)
    expected = (logits.detach().softmax(dim=-1) - right) * counted / counted.sum()
    loss = student.masked_language_loss(logits, labels)
    check_shape(loss, ())
    check_that(loss.requires_grad, "the loss is detached from the graph")
    loss.backward()
    check_close(logits.grad, expected, rtol=1e-4, atol=1e-6)


def test_loss_keeps_dtype_and_device(student):
    """masked_language_loss: the loss keeps dtype and device, and inputs are not changed.

    Hint: create no tensor without a dtype and a device; `labels[labels == -100] = 0` changes the caller's labels.
    """
    labels = labels_of(2, 3, 5, 1)
    for dtype in (torch.bfloat16, torch.float64):
        logits, other = (normal_tensor(2, 3, 5, seed=seed, scale=2.0, dtype=dtype) for seed in (1, 2))
        check_computes(student.masked_language_loss, [logits, labels], [other, labels])
        check_dtype(student.masked_language_loss(logits, labels), dtype)
    check_keeps_device(student, student.masked_language_loss, logits, labels)
    check_inputs_unchanged(student, student.masked_language_loss, logits, labels)


# --- fill_mask -------------------------------------------------------------------------------------------------------

MASK = 4
FILLED = "masks, k"


def matrices(seed):
    """Draw the matrices of our own model and head."""
    return [normal_tensor(VOCAB, D_MODEL, seed=seed), normal_tensor(VOCAB, D_MODEL, seed=seed + 1)]


def hidden_at(tokens, positions):
    """Put masks at these positions of a sequence without masks."""
    tokens = torch.where(tokens == MASK, MASK + 1, tokens)
    tokens[list(positions)] = MASK
    return tokens


def filled(student, tokens, k, seed):
    """Fill the masks with the student's function and our model; fail results of a wrong shape."""
    found = in_worker(student).filled(student.fill_mask, matrices(seed), tokens, MASK, k)
    ids, probabilities = check_results(found, 2)
    for tensor in (ids, probabilities):
        check_shape(tensor, (int((tokens == MASK).sum()), k), axes=FILLED)
    return ids, probabilities


def distribution(student, tokens, seed):
    """Compute the probabilities of all tokens at each mask, in reading order, in this process."""
    import bert_in_worker

    bert, head = bert_in_worker.ReadBoth(matrices(seed)[0]), bert_in_worker.Logits(matrices(seed)[1])
    with torch.no_grad():
        logits = head(bert(tokens.unsqueeze(0))[0])[0]
    return torch.stack(
        [row.exp() / row.exp().sum() for row, token in zip(logits, tokens, strict=True) if token == MASK]
    )


CASES = (((2,), 3), ((0, 5), 2), ((1, 3, 6), 1), ((0, 1, 2, 6), 4), ((6,), VOCAB))


@given(seeds())
def test_filling_gives_the_likeliest_first(student, seed):
    """fill_mask: the ids are the k most likely tokens at each mask, the most likely first.

    Hint: `topk` sorts. Take the logits where the token is the mask, in reading order.
    """
    for positions, k in CASES:
        tokens = hidden_at(token_ids(7, seed=seed), positions)
        ids, _ = filled(student, tokens, k, seed)
        expected = distribution(student, tokens, seed).sort(dim=-1, descending=True).indices[:, :k]
        check_values(ids.long(), expected, axes=FILLED)


@given(seeds())
def test_filling_gives_probabilities(student, seed):
    """fill_mask: the probabilities are a softmax over the whole vocabulary.

    Hint: take the softmax of all logits, then the k largest; a softmax over k logits sums to one.
    """
    for positions, k in CASES:
        tokens = hidden_at(token_ids(7, seed=seed), positions)
        _, probabilities = filled(student, tokens, k, seed)
        expected = distribution(student, tokens, seed).sort(dim=-1, descending=True).values[:, :k]
        check_values(probabilities, expected, axes=FILLED, accuracy=torch.float32)


def test_filling_keeps_dtypes(student):
    """fill_mask: ids are int64, probabilities have the logits' dtype, tokens are not changed.

    Hint: `topk` returns values and indices; do not write predictions into `tokens`.
    """
    tokens = hidden_at(token_ids(7, seed=3), (1, 4))
    ids, probabilities = filled(student, tokens, 3, 3)
    check_that(bool((probabilities[:, 0] > probabilities[:, 1]).min()), "the most likely token is not the first")
    check_dtype(ids, torch.int64)
    check_dtype(probabilities, torch.float64)
    kept = in_worker(student).tokens_after(student.fill_mask, matrices(3), tokens, MASK, 3)
    check_values(kept, tokens, says="the tokens are changed in place")


# --- SequenceClassifier ----------------------------------------------------------------------------------------------

CLASSES = 4


def classifier_of(student, seed=0, **options):
    """Create a classifier in float64 on a model of the student's; return both."""
    bert, _ = bert_of(student, seed, **options)
    shapes = {"output_proj.weight": (CLASSES, D_MODEL), "output_proj.bias": (CLASSES,)}
    return loaded(student, student.SequenceClassifier(bert, CLASSES), state_of(shapes, seed + 1)), bert


def check_classifies(student, classifier, *inputs, **options):
    """Compare the logits with those of the classifier's own modules, so that a wrong `Bert` fails its own checks."""
    found, expected = check_results(in_worker(student).parts(classifier, list(inputs), options), 2)
    check_shape(found, (len(inputs[0]), CLASSES), axes="batch, classes")
    check_that(bool(found.std() > 0), "all logits are equal")
    check_values(found.detach(), expected.detach(), accuracy=torch.float32)
    return found.detach()


def test_classifier_has_the_modules_listed(student):
    """SequenceClassifier: the state dict holds the model and an output projection.

    Hint: `bert` is the model that you get, `output_proj` a linear layer with a bias.
    """
    classifier, _ = classifier_of(student)
    shapes = {name: tuple(tensor.shape) for name, tensor in classifier.state_dict().items() if name[:5] != "bert."}
    listed = {"output_proj.bias": (CLASSES,), "output_proj.weight": (CLASSES, D_MODEL)}
    check_equal(
        dict(sorted(shapes.items())), listed, says="the parameters besides the model's differ from those listed"
    )
    own = sorted(name for name in classifier.state_dict() if name[:5] == "bert.")
    check_equal(own, sorted(f"bert.{name}" for name in bert_shapes(2)), says="the model is not kept as `bert`")


@given(seeds())
def test_classifier_reads_the_pooled_state(student, seed):
    """SequenceClassifier: the logits are the output projection of the pooled state.

    Hint: `Bert` returns two results; the second is the pooled state. No softmax.
    """
    for shape in ((3, 5), (4, 4), (1, 6)):
        classifier, _ = classifier_of(student, seed)
        check_classifies(student, classifier, token_ids(*shape, seed=seed))


@given(seeds())
def test_classifier_hands_on_segments_and_mask(student, seed):
    """SequenceClassifier: segments and mask reach the model.

    Hint: pass both to `bert`.
    """
    tokens, segments = token_ids(3, 5, seed=seed), token_ids(3, 5, seed=seed + 1, below=SEGMENTS)
    mask = torch.arange(5) < torch.tensor([[5], [3], [2]])
    classifier, _ = classifier_of(student, seed)
    plain = check_classifies(student, classifier, tokens)
    for inputs, options in (((tokens, segments), {}), ((tokens,), {"mask": mask}), ((tokens, segments, mask), {})):
        found = check_classifies(student, classifier, *inputs, **options)
        check_that(bool((found - plain).abs().max() > 1e-7), "segments or mask change nothing")


def test_classifier_learns_through_the_model(student):
    """SequenceClassifier: it holds the model itself, and gradients reach all of its parameters.

    Hint: neither copy nor freeze the model: fine-tuning trains it too.
    """
    classifier, bert = classifier_of(student)
    check_equal(in_worker(student).is_same(classifier, bert), True, says="the model is a copy")
    tokens, segments = token_ids(3, 5, seed=1), token_ids(3, 5, seed=2, below=SEGMENTS)
    check_classifies(student, classifier, tokens, segments)
    names = [f"bert.{name}" for name in bert_shapes(2)] + ["output_proj.weight", "output_proj.bias"]
    missing = in_worker(student).missing_gradients(
        classifier, [tokens, segments], normal_tensor(3, CLASSES, seed=3), names
    )
    check_equal(list(missing), [False] * len(names), says="no gradient reaches a parameter")


def test_classifier_keeps_the_dtype(student):
    """SequenceClassifier: the logits have the dtype of the model.

    Hint: create no tensor without a dtype.
    """
    tokens = token_ids(2, 5, seed=1)
    classifier, _ = classifier_of(student)
    for dtype in (torch.bfloat16, torch.float64):
        classifier.to(dtype)
        check_computes(classifier, [tokens], [tokens.flip(1)])
        check_dtype(classifier(tokens), dtype)


def test_classifier_gains_from_pre_training(student, targets):
    """SequenceClassifier: fine-tuned on 200 sentences, it knows the kind of new nouns.

    Hint: if the other checks pass and this does not, look for parts of the model that do not learn.
    """
    task = pretrained.kind_task()
    bert = student.Bert(student.BertConfig(*pretrained.SIZES))
    found = in_worker(student).fine_tune(
        student.SequenceClassifier, bert, pretrained.weights(), task.inputs, task.classes, task.unseen, 0
    )
    check_shape(found, tuple(task.kinds.shape), axes="sentences")
    says = "fine-tuning from pre-trained weights does not reach the target"
    share = found.eq(task.kinds).double().mean().item()
    check_that(share >= targets["least_kind_accuracy"], says)
