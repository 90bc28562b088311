"""Write lowess_in_r.csv: the output of R's `lowess`, from the results that statsmodels ships for its tests.

The number of points in a window is the floor of fraction · n in R and statsmodels, and the ceiling in the lab.
The table therefore holds that number, `k`.

Source: statsmodels 0.15.0, nonparametric/tests/results (3-clause BSD licence, © the statsmodels developers). The
motorcycle data are described in data/motorcycle. Needs the `dev` extra.
"""

from pathlib import Path

import pandas as pd
import statsmodels

RESULTS = Path(statsmodels.__file__).parent / "nonparametric" / "tests" / "results"

# Name, statsmodels' file, its column of results, points per window, robust steps.
CASES = (
    ("cauchy_0", "test_lowess_iter.csv", "out_0", 13, 0),
    ("cauchy_3", "test_lowess_iter.csv", "out_3", 13, 3),
    ("sine_wide", "test_lowess_frac.csv", "out_2_3", 20, 3),
    ("sine_narrow", "test_lowess_frac.csv", "out_1_5", 6, 3),
    ("motorcycle", "test_lowess_delta.csv", "out_0", 13, 3),
)


def table() -> str:
    """The text of lowess_in_r.csv."""
    parts = []
    for name, file, column, k, robust_steps in CASES:
        results = pd.read_csv(RESULTS / file)
        columns = {"data": name, "k": k, "robust_steps": robust_steps, "x": results["x"], "y": results["y"]}
        parts.append(pd.DataFrame({**columns, "fit": results[column]}))
    return str(pd.concat(parts).to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    Path(__file__).with_name("lowess_in_r.csv").write_text(table(), encoding="utf-8", newline="\n")
