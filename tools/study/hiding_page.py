"""The part of the study's page about attacks that hide: what is found of each, and by which method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from tools.measure.rows import Row
from tools.measure.tables import markdown
from tools.study.families import DATASETS, FAMILIES
from tools.study.plan import SEEDS

_DEFAULT = "default"


def by_attack(rows: Sequence[Row]) -> list[dict[str, str]]:
    """One line per attack and data set: what the default scan says of the networks whose attack works."""
    lines = []
    for family, name in FAMILIES.items():
        for dataset in DATASETS:
            own = [row for row in rows if (row.method, row.family, row.dataset) == (_DEFAULT, family, dataset)]
            if not own:
                continue
            working = [row for row in own if row.truth != "left out"]
            weak = [row for row in own if row.truth == "left out"]
            lines.append(
                {
                    "attack": name,
                    "data set": dataset,
                    "found": _share(working),
                    "95 % interval": _interval(working),
                    "inconclusive": str(sum(row.verdict == "inconclusive" for row in working)) if working else "–",
                    "place of the target, median": _median([row.rank for row in working if row.rank]),
                    "a trigger is evidence": str(sum("evidence" in row.by.split(",") for row in working)),
                    "weak attacks, found": _share(weak),
                }
            )
    return lines


def by_method(rows: Sequence[Row]) -> list[dict[str, str]]:
    """One line per attack: how many networks each method suspects, over the networks that all looked at."""
    methods = list(dict.fromkeys(row.method for row in rows))
    seen = [{row.model for row in rows if row.method == method} for method in methods]
    common = set.intersection(*seen) if seen else set()
    lines = []
    for family, name in FAMILIES.items():
        own = [row for row in rows if row.model in common and row.family == family and row.truth != "left out"]
        if own:
            lines.append(
                {"attack": name} | {method: _share([row for row in own if row.method == method]) for method in methods}
            )
    return lines


def _share(rows: Sequence[Row]) -> str:
    return f"{sum(row.verdict == 'suspected' for row in rows)} of {len(rows)}" if rows else "–"


def _interval(rows: Sequence[Row]) -> str:
    """Clopper and Pearson's."""
    if not rows:
        return "–"
    interval = binomtest(sum(row.verdict == "suspected" for row in rows), len(rows)).proportion_ci()
    return f"{interval.low:.0%} to {interval.high:.0%}"


def _median(values: Sequence[int]) -> str:
    return f"{np.median(values):g}" if values else "–"


def section(rows: Sequence[Row]) -> str:
    """The tables and the words that are needed to read them, as Markdown."""
    others = f"""
The same networks with other methods, as far as they looked at the same ones; *suspected* at α = 0.01:

{markdown(by_method(rows))}"""
    return f"""## Attacks that hide

The first {len({row.model for row in rows})} networks; most seeds and data sets that are planned are not trained yet.
Each attack is trained from its paper's formula (`tools/models/hidden.py`, `tools/study/learned.py`,
`tools/study/resisting.py`), with up to {SEEDS} seeds a data set: a small LeNet, VGG, ResNet, MobileNet and vision
transformer. Its success is that of the exported file on held-out images; below 80% an attack is *weak*. Made by

    python -m tools.study.train ../shared/datasets --hiding --out .cache/hiding
    python -m tools.measure.evaluate .cache/hiding --method default --jobs 2 --csv docs/hiding.csv --resume

{markdown(by_attack(rows))}{others if len({row.method for row in rows}) > 1 else ""}"""
