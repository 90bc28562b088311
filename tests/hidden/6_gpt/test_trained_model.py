"""Hidden tests of the trained model: that it belongs to the code, and its loss on held-out text.

``python -m benchmarks.bands`` measures the margin of honest runs to the last bound.
"""

from trained_models import measured

from autograder.judge.compare import check_that


def test_trained_model_belongs_to_the_code(student, twin, attachments):
    """trained_model: your own GPT runs with these weights and sees no future tokens.

    Hint: hand in gpt.safetensors and training.json of one run of train.py, with the gpt.py that it trained.
    """
    check_that(measured(student, twin, attachments).loss > 0, "the loss on held-out text is 0, which is impossible")


def test_trained_model_learnt_in_its_weights(student, twin, attachments):
    """trained_model: the trained weights predict far better than untrained weights.

    Hint: the model's knowledge must be in its weights; train it with the given trainer until the run ends.
    """
    says = "the trained weights predict no better than untrained weights"
    check_that(measured(student, twin, attachments).learnt, says)


def test_trained_model_knows_characters_in_pairs(student, twin, attachments):
    """trained_model: the loss on held-out plays is at most 2.50 nats.

    Hint: counting pairs of characters gives 2.50. A run that learns is below it within its first tenth; if yours is
    not, look at the loss curve first.
    """
    says = "the loss on held-out text is more than 2.50 nats per character"
    check_that(measured(student, twin, attachments).loss <= 2.5, says)


def test_trained_model_knows_words(student, twin, attachments):
    """trained_model: the loss on held-out plays is at most 2.20 nats.

    Hint: at this loss common words come out right. Train for more tokens, and let the learning rate fall to the end.
    """
    says = "the loss on held-out text is more than 2.20 nats per character"
    check_that(measured(student, twin, attachments).loss <= 2.2, says)


def test_trained_model_is_trained_to_the_end(student, twin, attachments):
    """trained_model: the loss on held-out plays is at most 1.90 nats.

    Hint: the given configuration reaches this with a margin. Let the run go to its end.
    """
    says = "the loss on held-out text is more than 1.90 nats per character"
    check_that(measured(student, twin, attachments).loss <= 1.9, says)
