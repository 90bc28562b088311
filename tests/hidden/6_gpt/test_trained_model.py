"""Hidden tests of the trained model: does it belong to the code, and how well does it foretell what it never saw?

``python -m benchmarks.bands`` measures how far honest runs stay below the last of the bounds.
"""

from trained_models import measured

from autograder.judge.compare import check_that


def test_trained_model_belongs_to_the_code(student, twin, attachments):
    """Your own GPT runs with the weights handed in, and looks at nothing that comes later.

    Hint: hand in gpt.safetensors and training.json of one run of train.py, with the gpt.py that it trained.
    """
    check_that(measured(student, twin, attachments).loss > 0, "no model foretells unseen text without any loss")


def test_trained_model_learnt_in_its_weights(student, twin, attachments):
    """The trained weights foretell far better than those the model starts from.

    Hint: what the model knows must be in its weights; train it with the given trainer until it is done.
    """
    says = "with the trained weights the model foretells no better than without"
    check_that(measured(student, twin, attachments).learnt, says)


def test_trained_model_knows_characters_in_pairs(student, twin, attachments):
    """The loss on unseen plays is at most 2.50 nats: what counting pairs of characters gives.

    Hint: a run that learns falls below this within its first tenth; if yours does not, look at the loss curve first.
    """
    says = "on text that it has not seen, the model loses more than 2.50 nats per character"
    check_that(measured(student, twin, attachments).loss <= 2.5, says)


def test_trained_model_knows_words(student, twin, attachments):
    """The loss on unseen plays is at most 2.20 nats.

    Hint: common words come out right by now. Train for more tokens, and let the learning rate fall to the end.
    """
    says = "on text that it has not seen, the model loses more than 2.20 nats per character"
    check_that(measured(student, twin, attachments).loss <= 2.2, says)


def test_trained_model_is_trained_to_the_end(student, twin, attachments):
    """The loss on unseen plays is at most 1.90 nats.

    Hint: the given configuration reaches this with room to spare. Let the run go to its end.
    """
    says = "on text that it has not seen, the model loses more than 1.90 nats per character"
    check_that(measured(student, twin, attachments).loss <= 1.9, says)
