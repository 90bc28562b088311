"""Write motorcycle.csv from the copy in statsmodels' own tests, which includes the result of R's `lowess`.

Run it with the `dev` extra installed: `python data/motorcycle/prepare.py`.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels

SOURCE = Path(statsmodels.__file__).parent / "nonparametric" / "tests" / "results" / "test_lowess_delta.csv"


def table() -> str:
    """Return the text of motorcycle.csv."""
    measured = pd.read_csv(SOURCE)
    if len(measured) != 133:
        raise ValueError(f"{SOURCE} has {len(measured)} rows; the experiment has 133")
    columns = {"time_ms": measured["x"], "acceleration_g": measured["y"], "lowess_in_r": np.round(measured["out_0"], 9)}
    return str(pd.DataFrame(columns).to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    Path(__file__).with_name("motorcycle.csv").write_text(table(), encoding="utf-8", newline="\n")
