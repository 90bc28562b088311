"""Loss of an n-gram model of the plays: a reference for the losses of trained models.

    python -m benchmarks.kneser_ney

For each length of n-grams, it prints the loss on the whole validation text, in nats per character.
"""

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from autograder.course.lab import Lab
from autograder.models.corpora.kneser_ney import KneserNey


@click.command()
@click.option(
    "--data", default="shakespeare", show_default=True, help="Folder in data/ with train.txt and validation.txt."
)
@click.option("--longest", default=7, show_default=True, help="Length of the longest n-grams to count.")
def main(data: str, longest: int) -> None:
    """Count the n-grams of the training text and predict the validation text."""
    folder = Lab.find().root / "data" / data
    training, validation = ((folder / f"{part}.txt").read_text(encoding="utf-8") for part in ("train", "validation"))
    alphabet = sorted(set(training + validation))
    numbers = {character: number for number, character in enumerate(alphabet)}
    known, unseen = (np.array([numbers[character] for character in text]) for text in (training, validation))
    table = Table("characters in an n-gram", "loss", title=f"{len(known):,} characters counted")
    for order in range(1, longest + 1):
        loss = -KneserNey(known, len(alphabet), order).log_probabilities(unseen).mean()
        table.add_row(str(order), f"{loss:.4f}")
    Console().print(table)


if __name__ == "__main__":
    main()
