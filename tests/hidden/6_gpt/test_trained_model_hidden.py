"""Hidden tests of the trained model: does it belong to the code, and how well does it foretell what it never saw?

``python -m benchmarks.bands`` measures how far honest runs stay below the last of the bounds.
"""

from trained_models import measured

from autograder.judge.symptoms import CheckFailure, Symptom

# An untrained model loses about ln 64 = 4.2 nats per character.
LEARNT_AT_LEAST = 1.0


def check_loss_at_most(bound, student, twin, attachments):
    """Hold the loss on held-out text to a bound, in nats per character."""
    if not measured(student, twin, attachments).loss <= bound:
        says = f"on text that it has not seen, the model loses more than {bound:.2f} nats per character"
        raise CheckFailure(Symptom.WRONG_VALUES, says)


def test_trained_model_belongs_to_the_code(student, twin, attachments):
    """Your own GPT runs with the weights handed in, and gives logits that depend on nothing that comes later.

    Hint: hand in gpt.safetensors and training.json of one run of train.py, with the gpt.py that it trained.
    """
    measured(student, twin, attachments)


def test_trained_model_learnt_in_its_weights(student, twin, attachments):
    """The trained weights foretell far better than those the model starts from.

    Hint: what the model knows must be in its weights; train it with the given trainer until it is done.
    """
    result = measured(student, twin, attachments)
    if not result.loss <= result.untrained_loss - LEARNT_AT_LEAST:
        raise CheckFailure(Symptom.WRONG_VALUES, "with the trained weights the model foretells no better than without")


def test_trained_model_knows_characters_in_pairs(student, twin, attachments):
    """The loss on unseen plays is at most 2.50 nats: what counting pairs of characters gives.

    Hint: a run that learns falls below this within its first tenth; if yours does not, look at the loss curve first.
    """
    check_loss_at_most(2.5, student, twin, attachments)


def test_trained_model_knows_words(student, twin, attachments):
    """The loss on unseen plays is at most 2.20 nats.

    Hint: common words come out right by now. Train for more tokens, and let the learning rate fall to the end.
    """
    check_loss_at_most(2.2, student, twin, attachments)


def test_trained_model_is_trained_to_the_end(student, twin, attachments):
    """The loss on unseen plays is at most 1.90 nats.

    Hint: the given configuration reaches this with room to spare. Let the run go to its end.
    """
    check_loss_at_most(1.9, student, twin, attachments)
