"""Write penguins.csv from the palmerpenguins package.

Run it with the `dev` extra installed: `python data/penguins/prepare.py`.
"""

from pathlib import Path

from palmerpenguins import load_penguins


def table() -> str:
    """Return the text of penguins.csv: species and flipper length of the measured birds."""
    measured = load_penguins()[["species", "flipper_length_mm"]].dropna()
    if len(measured) != 342:
        raise ValueError(f"{len(measured)} penguins; the data set has 342 with a flipper length")
    return str(measured.astype({"flipper_length_mm": int}).to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    Path(__file__).with_name("penguins.csv").write_text(table(), encoding="utf-8", newline="\n")
