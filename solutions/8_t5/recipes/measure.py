"""What the models of this stage learn, with one seed: `python -m benchmarks.modern 8_t5` runs this program.

    python measure.py SEED

Prints one JSON object of figures: losses at hidden words in nats, shares of exact answers, and CPU seconds.
"""

import json
import sys
import time

import t5_training as training
import torch

FEW, FEW_STEPS, GAP_STEPS = 500, 300, 400  # the comparison with and without gaps


def gap_figures(seed: int) -> dict[str, float]:
    """Train on the gaps of lines of words."""
    words = training.word_vocabulary()
    lines, unseen = (training.lines_of(part, words) for part in ("train", "unseen"))
    before = training.span_loss(training.new_model(words, seed), unseen, words)
    started = time.process_time()
    model, _ = training.learn_gaps(words, seed)
    seconds = time.process_time() - started
    after = training.span_loss(model, unseen, words)
    frequency = training.frequency_loss(lines, unseen, words)
    return {
        "span_loss": after,
        "span_gain": before - after,
        "untrained_loss": before,
        "frequency_loss": frequency,
        "span_cpu_seconds": seconds,
    }


def inflection_figures(seed: int) -> dict[str, float]:
    """Train on all inflections."""
    letters = training.letter_vocabulary()
    started = time.process_time()
    model, _ = training.learn_inflections(letters, seed)
    seconds = time.process_time() - started
    unseen = training.inflections("unseen")
    right = [answer == form for answer, (_, form, _) in zip(answers(model, letters), unseen, strict=True)]
    ruled = [training.by_rule(text) == form for text, form, _ in unseen]
    regular = torch.tensor([is_regular for _, _, is_regular in unseen])
    return {
        "exact": share(right),
        "exact_by_rule": share(ruled),
        "exact_regular": share(torch.tensor(right)[regular].tolist()),
        "exact_irregular": share(torch.tensor(right)[~regular].tolist()),
        "exact_cpu_seconds": seconds,
    }


def transfer_figures(seed: int) -> dict[str, float]:
    """Train on a few inflections, with and without gaps in words before."""
    letters = training.letter_vocabulary()
    forms = [form for _, form, _ in training.inflections("unseen")]
    figures = {}
    for name, start in (("few", None), ("few_after_gaps", training.learn_letter_gaps(letters, seed, GAP_STEPS))):
        model, _ = training.learn_inflections(letters, seed, FEW_STEPS, FEW, start)
        found = answers(model, letters)
        figures[f"exact_{name}"] = share([answer == form for answer, form in zip(found, forms, strict=True)])
    return figures


def answers(model: torch.nn.Module, letters: training.Vocabulary) -> list[str]:
    """Let the model inflect the unseen words."""
    return training.answers(model, letters, [text for text, _, _ in training.inflections("unseen")])


def share(right: list[bool]) -> float:
    """Return the share of True."""
    return sum(right) / len(right)


if __name__ == "__main__":
    torch.set_num_threads(1)
    seed = int(sys.argv[1])
    print(json.dumps(gap_figures(seed) | inflection_figures(seed) | transfer_figures(seed)))
