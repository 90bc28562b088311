"""Write nile.csv from statsmodels' data sets.

Run it with the `dev` extra installed: `python data/nile/prepare.py`.
"""

from pathlib import Path

from statsmodels.datasets import nile


def table() -> str:
    """Return the text of nile.csv: year and volume."""
    flows = nile.load_pandas().data
    if len(flows) != 100:
        raise ValueError(f"{len(flows)} years; the data set has 100")
    return str(flows[["year", "volume"]].astype(int).to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    Path(__file__).with_name("nile.csv").write_text(table(), encoding="utf-8", newline="\n")
