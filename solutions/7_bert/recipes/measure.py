"""What the models of this stage learn, with one seed: `python -m benchmarks.modern 7_bert` runs this program.

    python measure.py SEED

Prints one JSON object of figures: accuracies on unseen sentences, and CPU seconds.
"""

import json
import sys
import time
from pathlib import Path

import torch
from bert import SequenceClassifier
from bert_training import accuracy, fine_tune, masked_accuracy, most_likely, new_model, pre_train
from bert_words import NeighbourCounts, Words, kind_task, read_sentences

LABELS = 200


def measure(seed: int) -> dict[str, float]:
    """Pre-train with this seed, fine-tune with and without the pre-trained weights, and return the figures."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    training, unseen = read_sentences(Path("../data/translation"))
    words = Words(training)
    tokens, unseen_tokens = words.encode(training), words.encode(unseen)
    bert, head = new_model(len(words))
    started = time.process_time()
    for _ in pre_train(bert, head, tokens, generator):
        pass
    figures = {"pre_training_seconds": time.process_time() - started}
    figures["masks_filled"] = masked_accuracy(most_likely(bert, head), unseen_tokens)
    figures["masks_filled_by_counts"] = masked_accuracy(NeighbourCounts(tokens).predict, unseen_tokens)
    labelled, other_nouns = kind_task(training + unseen, words, LABELS, generator)
    fresh, _ = new_model(len(words))
    for name, model in (("kind_accuracy", bert), ("kind_accuracy_without", fresh)):
        classifier = SequenceClassifier(model, 4)
        started = time.process_time()
        for _ in fine_tune(classifier, *labelled, generator):
            pass
        figures["fine_tuning_seconds"] = time.process_time() - started
        figures[name] = accuracy(classifier, *other_nouns)
    figures["kind_gain"] = figures["kind_accuracy"] - figures["kind_accuracy_without"]
    return figures


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
