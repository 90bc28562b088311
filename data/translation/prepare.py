"""Write train.tsv and unseen.tsv: English sentences and their French translations, drawn from `grammar.py`.

Run it with `python data/translation/prepare.py`. The same seed writes the same files.
"""

from pathlib import Path

from grammar import Grammar

SEED, TRAIN, UNSEEN = 5, 18_000, 1_000


def pairs(count: int) -> list[tuple[str, str]]:
    """Draw different English sentences, each with its translation, in the order of drawing."""
    grammar = Grammar(SEED)
    found: dict[str, str] = {}
    while len(found) < count:
        english, french = grammar.pair()
        if found.setdefault(english, french) != french:
            raise ValueError(f"{english!r} has two translations: {found[english]!r} and {french!r}")
    return list(found.items())


def table(rows: list[tuple[str, str]]) -> str:
    """Return the text of a file, one pair per line."""
    return "english\tfrench\n" + "".join(f"{english}\t{french}\n" for english, french in rows)


if __name__ == "__main__":
    drawn = pairs(TRAIN + UNSEEN)
    for name, rows in (("train", drawn[:TRAIN]), ("unseen", drawn[TRAIN:])):
        Path(__file__).with_name(f"{name}.tsv").write_text(table(rows), encoding="utf-8", newline="\n")
