"""Write train.tsv and unseen.tsv: plurals of nouns and past tenses of verbs, from the dictionary of lemminflect.

Run it with `pip install lemminflect==0.2.3`, then `python data/inflections/prepare.py`. It writes the same files each
time. Only this program needs lemminflect.
"""

import csv
import gzip
import importlib.util
import re
from pathlib import Path
from random import Random

SEED, UNSEEN = 8, 1_000
WORD = re.compile("[a-z]{3,10}")
DICTIONARY = "resources/infl_lu.csv.gz"
TASKS = {"noun": "plural", "verb": "past"}


def dictionary() -> list[list[str]]:
    """Return the rows of the dictionary: a lemma, its part of speech, and its forms."""
    package = importlib.util.find_spec("lemminflect")
    if package is None or package.origin is None:
        raise SystemExit("lemminflect is not installed: pip install lemminflect==0.2.3")
    with gzip.open(Path(package.origin).parent / DICTIONARY, "rt", encoding="utf-8") as file:
        return list(csv.reader(file))


def inflections(rows: list[list[str]]) -> list[tuple[str, str, str]]:
    """Return task, lemma and form of each lemma whose form is certain: lower case, one form, not the lemma itself."""
    found = []
    for lemma, kind, *forms in rows:
        form = forms[0] if forms else ""
        if kind in TASKS and WORD.fullmatch(lemma) and WORD.fullmatch(form) and form != lemma:
            found.append((TASKS[kind], lemma, form))
    return found


def is_regular(task: str, lemma: str, form: str) -> bool:
    """Whether a form ends as the regular forms do: with s, or with ed, after the stem of the lemma."""
    stem = lemma[:-1] if lemma[-1] in "ey" else lemma
    if not form.startswith(stem):
        return False
    rest = form.removeprefix(stem)
    if task == "plural":
        return rest in ("s", "es", "ies", "ys")
    doubled = lemma[-1] + "ed"
    return rest in ("ed", "ied", "yed", doubled)


def split(rows: list[tuple[str, str, str]]) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """Divide the rows by lemma: a word that is both noun and verb is in one part with both forms."""
    lemmas = sorted({lemma for _, lemma, _ in rows})
    Random(SEED).shuffle(lemmas)
    order = {lemma: number for number, lemma in enumerate(lemmas)}
    drawn = sorted(rows, key=lambda row: (order[row[1]], row[0]))
    last = next(number for number in range(UNSEEN, len(drawn)) if drawn[number][1] != drawn[number - 1][1])
    return drawn[last:], drawn[:last]


def table(rows: list[tuple[str, str, str]]) -> str:
    """Return the text of a file: task, lemma, form, and whether the form is regular."""
    lines = [f"{task}\t{lemma}\t{form}\t{int(is_regular(task, lemma, form))}\n" for task, lemma, form in rows]
    return "task\tlemma\tform\tregular\n" + "".join(lines)


if __name__ == "__main__":
    for name, part in zip(("train", "unseen"), split(inflections(dictionary())), strict=True):
        Path(__file__).with_name(f"{name}.tsv").write_text(table(part), encoding="utf-8", newline="\n")
