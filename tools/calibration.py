"""Whether p-values of clean models are what they say, and how often such a model is suspected.

    python tools/evaluate.py .cache/study --method default --csv docs/calibration.csv
    python tools/calibration.py docs/calibration.csv --plot docs/calibration.svg

A p-value is honest where at most a share p of the clean models has one so small. The plot compares the two; the band
holds 95 % of the points of as many honest p-values, one at a time.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import matplotlib.pyplot as plt
import numpy as np
import typer
from scipy.stats import beta, binomtest

from evaluate import Row, markdown, read_rows


def rates(rows: list[Row]) -> list[dict[str, str]]:
    """False alarms by data set and in all, with Clopper-Pearson intervals."""
    groups = {name: [row for row in rows if row.dataset == name] for name in sorted({row.dataset for row in rows})}
    return [_rate(name, group) for name, group in (groups | {"all": rows}).items()]


def _rate(name: str, rows: list[Row]) -> dict[str, str]:
    count, p = len(rows), [1.0 if row.p_value is None else row.p_value for row in rows]
    verdicts = Counter(row.verdict for row in rows)
    interval = binomtest(verdicts["suspected"], count).proportion_ci()
    return {
        "clean models": f"{name} ({count})",
        "suspected": f"{verdicts['suspected'] / count:.1%} ({verdicts['suspected']}/{count})",
        "95 % interval": f"{interval.low:.1%} to {interval.high:.1%}",
        "p ≤ 0.01": f"{np.mean(np.array(p) <= 0.01):.1%}",
        "p ≤ 0.05": f"{np.mean(np.array(p) <= 0.05):.1%}",
        "p ≤ 0.2": f"{np.mean(np.array(p) <= 0.2):.1%}",
        "inconclusive": str(verdicts["inconclusive"]),
    }


def plot(rows: list[Row], path: Path) -> None:
    """Sorted p-values against those that are expected of so many, both logarithmic."""
    p = np.sort([row.p_value for row in rows if row.p_value is not None])
    rank = np.arange(1, len(p) + 1)
    expected = rank / (len(p) + 1)
    low, high = (beta.ppf(q, rank, len(p) + 1 - rank) for q in (0.025, 0.975))
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.fill_between(expected, low, high, color="0.9", label="95 % of honest p-values")
    axes.plot(expected, expected, color="0.6", linewidth=1)
    axes.plot(expected, p, ".", color="tab:blue", label=f"{len(p)} clean models")
    axes.set(xscale="log", yscale="log", xlabel="expected", ylabel="p-value of the scan")
    axes.legend(loc="upper left", frameon=False)
    plt.rcParams["svg.hashsalt"] = "ninspect"  # the same plot, the same file
    figure.savefig(path, metadata={"Date": None})


def main(
    csv_file: Annotated[Path, typer.Argument(help="What evaluate.py wrote.")],
    plot_file: Annotated[Path | None, typer.Option("--plot", help="Write the plot, SVG or PNG.")] = None,
) -> None:
    """Print the table, and draw the plot."""
    rows = [row for row in read_rows(csv_file) if row.truth == "clean"]
    print(markdown(rates(rows)))
    if plot_file:
        plot(rows, plot_file)


if __name__ == "__main__":
    typer.run(main)
