"""The page of the study: how often clean models are suspected, and which backdoors are found, cell by cell.

A p-value is honest where at most a share p of the clean models has one so small. The plot compares the two; the band
holds 95 % of the points of as many honest p-values, one at a time.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.stats import beta, binomtest

from ninspect import ScanRequest
from ninspect.measure.calibration import EVIDENCE, OUTLIERS
from tools.measure.rows import WORKING_ATTACK, Row, read_rows
from tools.measure.tables import markdown, parts_table
from tools.study.hiding_page import section
from tools.study.plan import CLASSES, MIDDLE, POISONED, SEEDS

DATASETS = {
    "digits": "scikit-learn's digits",
    "mnist": "MNIST",
    "signs": "drawn traffic signs",
    "gtsrb": "GTSRB",
    "cifar10": "CIFAR-10",
}


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
    import matplotlib.pyplot as plt  # in the group `models`; the page itself needs none of it

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


def sizes(rows: list[Row]) -> list[dict[str, str]]:
    """How large the smallest trigger that works is, by data set, of clean models and of those with a working attack."""
    groups: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.evidence is not None and row.truth in ("clean", "one target"):
            groups.setdefault((row.dataset, row.truth), []).append(row.evidence)
    return [
        {
            "models": f"{dataset}, {truth} ({len(found)})",
            "smallest": f"{min(found):.2f}",
            "median": f"{np.median(found):.2f}",
            "largest": f"{max(found):.2f}",
            f"up to {EVIDENCE.size:g}": f"{np.mean(np.array(found) <= EVIDENCE.size):.0%}",
        }
        for (dataset, truth), found in sorted(groups.items())
    ]


def cells(rows: list[Row]) -> list[dict[str, str]]:
    """One line a data set and kind of trigger; attacks that work on fewer than 80 % of the images are counted apart."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        name = row.model.removeprefix(f"{row.dataset}-").rpartition("-")[0]
        groups.setdefault((row.dataset, name.replace("-", " ")), []).append(row)
    return [_cell(*name, group) for name, group in sorted(groups.items(), key=lambda item: natural(" ".join(item[0])))]


def _cell(dataset: str, name: str, rows: list[Row]) -> dict[str, str]:
    working = [row for row in rows if row.truth != "left out"]
    weak = [row for row in rows if row.truth == "left out"]
    found = [row for row in working if row.verdict == "suspected"]
    first = sum(row.top_is_target for row in found)
    return {
        "data set": dataset,
        "trigger": name,
        "found": f"{len(found)} of {len(working)}" if working else "–",
        "inconclusive": str(sum(row.verdict == "inconclusive" for row in working)) if working else "–",
        "of the found, a true target first": str(first) if found and found[0].truth == "one target" else "–",
        "weak attacks, found": f"{sum(row.verdict == 'suspected' for row in weak)} of {len(weak)}" if weak else "–",
        "p, median": f"{np.median([1.0 if row.p_value is None else row.p_value for row in rows]):.2g}",
    }


def fills(rows: list[Row]) -> list[dict[str, str]]:
    """Opaque patches of family `fill`, by data set, size and place; `windows` was made with numbers 0 and 1 in view."""
    groups: dict[tuple[str, str, str], list[tuple[bool, Row]]] = {}
    for row in rows:
        # Such as mnist-fill-noise-12-3; plan.py says where each number has its patch.
        if row.truth == "one target" and (name := re.search(r"-fill-[a-z]+-(\d+)-(\d)$", row.model)):
            side, number = map(int, name.groups())
            size = "3 to 8 pixels" if side <= 8 else f"{side} pixels"
            place = "middle of the picture" if number == MIDDLE else "near a corner or an edge"
            groups.setdefault((row.dataset, place, size), []).append((number > 1, row))
    return [
        {"data set": dataset, "place": place, "patch": size}
        | {
            head: f"{sum(row.verdict == 'suspected' for row in some)} of {len(some)}" if some else "–"
            for head, some in (
                ("found, in view", [row for aside, row in found if not aside]),
                ("found, set aside", [row for aside, row in found if aside]),
            )
        }
        for (dataset, place, size), found in sorted(groups.items(), key=lambda item: natural(" ".join(item[0])))
    ]


def few_classes(rows: list[Row]) -> list[dict[str, str]]:
    """Verdicts on networks of two to four classes."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.truth != "left out":
            groups.setdefault(tuple(row.model.split("-")[2:4]), []).append(row)
    return [
        {
            "classes": count,
            "networks": f"{'clean' if kind == 'clean' else f'clean, {kind}'} ({len(found)})"
            if found[0].truth == "clean"
            else f"with a backdoor ({len(found)})",
            "suspected": str(sum(row.verdict == "suspected" for row in found)),
            "of these, a true target first": "–"
            if found[0].truth == "clean"
            else str(sum(row.verdict == "suspected" and row.top_is_target for row in found)),
            "smallest trigger, median": _median([row.evidence for row in found if row.evidence is not None]),
            "smallest of all": _least([row.evidence for row in found if row.evidence is not None]),
        }
        for (count, kind), found in sorted(groups.items())
    ]


def _median(sizes: list[float]) -> str:
    return f"{np.median(sizes):.2f}" if sizes else "–"


def _least(sizes: list[float]) -> str:
    return f"{min(sizes):.2f}" if sizes else "–"


def natural(text: str) -> list[tuple[int, str]]:
    """To sort by, with numbers in their order."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", text)]


def page(rows: list[Row], hiding: list[Row]) -> str:
    """The tables and the words that are needed to read them, as Markdown.

    Args:
        rows: of the study.
        hiding: of that of attacks that hide.
    """
    harmless = [row for row in rows if row.family == "clean"]
    clean = [row for row in harmless if row.truth == "clean"]
    datasets = ", ".join(DATASETS[name] for name in CLASSES if any(row.dataset == name for row in clean))
    few = [row for row in rows if row.family == "few"]
    attacked = [row for row in rows if row.family not in ("clean", "few")]
    return f"""# The study

What ninspect's default scan says of models that were trained for this study. Made by

    python -m tools.study.train ../shared/datasets
    python -m tools.measure.evaluate .cache/study --method default --jobs 2 --csv docs/study.csv
    python -m tools.study.report docs/study.csv docs/hiding.csv --markdown docs/study.md --plot docs/calibration.svg

## Clean models: are the p-values honest?

These are {len(clean)} models of {datasets}: eight kinds of network with various widths and
activations, three optimisers, and a different seed each. {len(harmless) - len(clean)} more models did not learn
anything and do not count. *Suspected* is the verdict at α = {ScanRequest.alpha:g}, with Clopper and Pearson's
intervals. *Inconclusive* models have a class that is nearly suspected, a trigger from one class to another that may be
natural, or classes that could not be measured.

{markdown(rates(clean))}
Classes that resemble no other, such as GTSRB's priority road, would stand out too often under a Gaussian null. Classes
that are easy by nature are therefore compared with Student's t with {OUTLIERS.natural_freedom:g} degrees of freedom
([method.md](method.md#deciding)). That number, and the null distribution of `windows`, were chosen with some of these
models in view ([measurements.md](measurements.md#stamps)), so expect more false alarms elsewhere.

![Sorted p-values of the clean models against those expected](calibration.svg)

## Triggers: what separates the two

A scan searches for the smallest trigger of the three classes that stand out most, whatever their p-value. The table
has the smallest of the three that works on at least {EVIDENCE.success:.0%} of the held-out images, relative to what
other classes need:

{markdown(sizes(clean + attacked))}
## Backdoors, cell by cell

A cell has up to {SEEDS} models, each with a different seed and target; not all that are planned were trained. The
trigger is a white square of 4 pixels near the lower right corner, in {POISONED:.0%} of the training images, except for
what the cell varies (`tools/study/plan.py`). On MNIST the networks are LeNets; on GTSRB a cell has five architectures.
A *weak* attack works on fewer than {WORKING_ATTACK:.0%} of the test images.

{markdown(cells(attacked))}
Opaque patches that are not among the patterns that `windows` guesses (cells *fill*: noise, checkers, two colours, part
of a photograph; without weak attacks). It was made with two of the five seeds in view:

{markdown(fills(attacked))}
How many networks each part of the method accuses, in brackets those that no other part accuses:

{markdown(parts_table(clean + attacked))}
{section(hiding)}
## Two to four classes

Outliers among so few classes mean nothing, so a trigger is searched for each, and none is called clean. A class is
suspected whose trigger has at most {EVIDENCE.size_of_few:g} times the size of two others' or more. The networks tell
apart classes that were drawn anew for each. A third of the first have a patch of noise, 4 pixels wide; of *background*
one class is everything else; of *mosaic* four images lie in a square, and the first decides:

{markdown(few_classes(few))}"""


def main(
    csv_file: Annotated[Path, typer.Argument(help="What tools.measure.evaluate wrote of the study.")],
    hiding_file: Annotated[Path, typer.Argument(help="What it wrote of the attacks that hide.")],
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="Write the page.")] = None,
    plot_file: Annotated[Path | None, typer.Option("--plot", help="Write the plot, SVG or PNG.")] = None,
) -> None:
    """Print the page, and draw the plot.

    Example: python -m tools.study.report docs/study.csv docs/hiding.csv --markdown docs/study.md
    """
    rows = read_rows(csv_file)
    text = page(rows, read_rows(hiding_file))
    print(text)
    if markdown_file:
        markdown_file.write_text(text)
    if plot_file:
        plot([row for row in rows if row.truth == "clean" and row.family == "clean"], plot_file)


if __name__ == "__main__":
    typer.run(main)
