"""Write engel.csv from statsmodels' data sets.

Run it with the `dev` extra installed: `python data/engel/prepare.py`.
"""

from pathlib import Path

from statsmodels.datasets import engel


def table() -> str:
    """Return the text of engel.csv: income and food expenditure in francs, rounded to the hundredth."""
    households = engel.load_pandas().data
    if len(households) != 235:
        raise ValueError(f"{len(households)} households; the data set has 235")
    columns = households.rename(columns={"foodexp": "food"})[["income", "food"]].round(2)
    return str(columns.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    Path(__file__).with_name("engel.csv").write_text(table(), encoding="utf-8", newline="\n")
