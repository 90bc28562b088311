"""Write train.tsv and unseen.tsv: dates as people write them in three languages, and in ISO 8601.

Run it with `python data/dates/prepare.py`. The same seed writes the same files.
"""

import datetime
from pathlib import Path
from random import Random

SEED, TRAIN, UNSEEN = 5, 8_000, 1_000
FIRST, DAYS = datetime.date(1950, 1, 1), 36_500  # a hundred years, so that two digits are unambiguous
ENGLISH = "January February March April May June July August September October November December".split()
FRENCH = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
GERMAN = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()


def formats(date: datetime.date) -> list[str]:
    """Return the written forms of a date; numbers are day, month, year."""
    english, french, german = (names[date.month - 1] for names in (ENGLISH, FRENCH, GERMAN))
    first = "1er" if date.day == 1 else str(date.day)
    return [
        f"{date.day} {english} {date.year}",
        f"{english} {date.day}, {date.year}",
        f"{first} {french} {date.year}",
        f"{date.day}. {german} {date.year}",
        f"{date.day}/{date.month}/{date.year}",
        f"{date.day} {english[:3]} '{date.year % 100:02d}",
    ]


def pairs(count: int) -> list[tuple[str, str]]:
    """Draw different written dates, each with its ISO form, in the order of drawing."""
    random = Random(SEED)
    found: dict[str, str] = {}
    while len(found) < count:
        date = FIRST + datetime.timedelta(days=random.randrange(DAYS))
        found[random.choice(formats(date))] = date.isoformat()
    return list(found.items())


def table(rows: list[tuple[str, str]]) -> str:
    """Return the text of a file, one pair per line."""
    return "written\tiso\n" + "".join(f"{written}\t{iso}\n" for written, iso in rows)


if __name__ == "__main__":
    drawn = pairs(TRAIN + UNSEEN)
    for name, rows in (("train", drawn[:TRAIN]), ("unseen", drawn[TRAIN:])):
        Path(__file__).with_name(f"{name}.tsv").write_text(table(rows), encoding="utf-8", newline="\n")
