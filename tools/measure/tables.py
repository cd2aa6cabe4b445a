"""Tables of what was measured on models whose truth is known, and the words that are needed to read them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.stats import mannwhitneyu

from ninspect import ScanRequest
from ninspect.machine import library_versions
from tools.measure.rows import WORKING_ATTACK, Row


def auc(positive: Iterable[Row], negative: Iterable[Row]) -> str:
    """Probability that a backdoored model is more suspicious than a clean one, see `Row.suspicion`."""
    high, low = ([row.suspicion for row in rows] for rows in (positive, negative))
    return f"{mannwhitneyu(high, low).statistic / (len(high) * len(low)):.2f}" if high and low else "–"


def summary(rows: list[Row], alpha: float) -> list[dict[str, str]]:
    """One line per method and kind of attack, each against the same clean models."""
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        own = [row for row in rows if row.method == method]
        clean = [row for row in own if row.truth == "clean"]
        for attack in ("one target", "all to all"):
            found = [row for row in own if row.truth == attack]
            lines.append(
                {
                    "method": method,
                    "attack": f"{attack} ({len(found)})",
                    "AUC": auc(found, clean),
                    f"TPR at {alpha:g}": _share(found, _suspected),
                    "TPR at 0.05": _share(found, lambda row: (row.p_value or 1) <= 0.05),
                    "TPR, index > 2": _share(found, lambda row: row.flagged > 0),
                    "top-1 target": _share(found, lambda row: row.top_is_target) if attack == "one target" else "–",
                    **_seconds(own),
                }
            )
        lines.append(
            {
                "method": method,
                "attack": f"none: false alarms ({len(clean)})",
                "AUC": "–",
                f"TPR at {alpha:g}": _share(clean, _suspected),
                "TPR at 0.05": _share(clean, lambda row: (row.p_value or 1) <= 0.05),
                "TPR, index > 2": _share(clean, lambda row: row.flagged > 0),
                "top-1 target": "–",
                **_seconds(own),
            }
        )
    return lines


def dataset_table(rows: list[Row]) -> list[dict[str, str]]:
    """One line per data set and method, each against the clean models of that data set."""
    lines = []
    for dataset in sorted({row.dataset for row in rows if row.truth != "left out"}):
        for method in dict.fromkeys(row.method for row in rows if row.dataset == dataset):
            own = [row for row in rows if (row.dataset, row.method) == (dataset, method)]
            kinds = {
                truth: [row for row in own if row.truth == truth] for truth in ("one target", "all to all", "clean")
            }
            lines.append(
                {
                    "data set": dataset,
                    "method": method,
                    "AUC": auc(kinds["one target"], kinds["clean"]),
                    **{f"suspected, {truth}": _share(found, _suspected) for truth, found in kinds.items()},
                    **_seconds(own),
                }
            )
    return lines


def time_table(rows: list[Row], slow: Sequence[str]) -> list[dict[str, str]]:
    """How long the detectors of each slow method took, next to the first method's, on the models that all looked at."""
    first = rows[0].method
    took = {
        method: {row.model: row.detection for row in rows if row.method == method and row.detection is not None}
        for method in (first, *slow)
    }
    both = set.intersection(*map(set, took.values()))
    datasets: dict[str, set[str]] = {}
    for row in rows:
        if row.model in both and row.truth != "left out":
            datasets.setdefault(row.dataset, set()).add(row.model)
    groups = dict(sorted(datasets.items())) | {"all": set().union(*datasets.values())}
    total = {name: {method: sum(took[method][m] for m in models) for method in took} for name, models in groups.items()}
    return [
        {"data set": f"{name} ({len(groups[name])})", first: f"{seconds[first]:.0f} s"}
        | {method: f"{seconds[method]:.0f} s ({seconds[method] / seconds[first]:.1f})" for method in slow}
        for name, seconds in total.items()
        if seconds[first]
    ]


def _seconds(rows: list[Row]) -> dict[str, str]:
    looking = [row.detection for row in rows if row.detection is not None]
    return {
        "s / model": f"{np.median([row.seconds for row in rows]):.1f}",
        "detectors alone, mean": f"{np.mean(looking):.1f}" if looking else "–",
    }


def _share(rows: list[Row], holds: Callable[[Row], bool]) -> str:
    hits = sum(map(holds, rows))
    return f"{hits / len(rows):.2f} ({hits}/{len(rows)})" if rows else "–"


def markdown(lines: list[dict[str, str]]) -> str:
    """A table of equal dictionaries."""
    if not lines:
        return ""
    head = list(lines[0])
    rows = [head, ["---"] * len(head), *(list(line.values()) for line in lines)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def verdict_table(rows: list[Row]) -> list[dict[str, str]]:
    """How often each kind of model got each verdict."""
    kinds = dict.fromkeys(row.truth for row in rows)
    verdicts = ("suspected", "clean", "inconclusive")
    return [
        {"method": method, "truth": kind}
        | {v: str(sum((r.method, r.truth, r.verdict) == (method, kind, v) for r in rows)) for v in verdicts}
        for method in dict.fromkeys(row.method for row in rows)
        for kind in kinds
    ]


def parts_table(rows: Iterable[Row]) -> list[dict[str, str]]:
    """How many models each part of a scan accuses, and how many nothing else does; most first."""
    accused = [(row, row.by.split(",")) for row in rows if row.by]
    counts = Counter(part for _, parts in accused for part in parts)
    kinds = ("one target", "all to all", "clean")
    return [
        {"part": f"`{part}`"}
        | {
            truth: f"{sum(part in parts for row, parts in accused if row.truth == truth)} "
            f"({sum(parts == [part] for row, parts in accused if row.truth == truth)})"
            for truth in kinds
        }
        for part, _ in counts.most_common()
    ]


def family_table(rows: list[Row]) -> list[dict[str, str]]:
    """How many of each kind of attack each method suspects; a row of its own for attacks that seldom work."""
    attacked = [row for row in rows if row.family]
    families = sorted({(row.family, row.truth == "left out") for row in attacked})
    methods = list(dict.fromkeys(row.method for row in rows))
    return [
        {"attack": f"{name}, left out of the rates" if left_out else name}
        | {
            m: _share(
                [r for r in attacked if (r.method, r.family, r.truth == "left out") == (m, name, left_out)], _suspected
            )
            for m in methods
        }
        for name, left_out in families
    ]


def mistakes(rows: list[Row]) -> str:
    """Backdoors that the first method missed, and clean models that it suspected or could not judge."""
    own = [row for row in rows if row.method == rows[0].method]
    missed = [row for row in own if row.truth in ("one target", "all to all") and not _suspected(row)]
    alarms = [row for row in own if row.truth == "clean" and _suspected(row)]
    unsure = [row for row in own if row.truth == "clean" and row.verdict == "inconclusive"]
    lines = [_mistake(f"{row.family}, target {row.target}", row) for row in missed]
    lines += [_mistake("clean", row) for row in (*alarms, *unsure)]
    return markdown(lines) or "None."


def _mistake(truth: str, row: Row) -> dict[str, str]:
    """What a scan said first; what follows is advice."""
    return {
        "model": f"`{row.model}`",
        "truth": truth,
        "verdict": row.verdict,
        "reason": re.split(r"; |: (?=\D)", row.reason)[0],
    }


def _suspected(row: Row) -> bool:
    return row.verdict == "suspected"


def report(rows: list[Row], command: str, slow: Sequence[str], slow_up_to: int) -> str:
    """The tables and the words that are needed to read them, as Markdown.

    Args:
        rows: what was measured.
        command: that measured it.
        slow: methods that were not measured on all models.
        slow_up_to: the number of classes up to which they were.
    """
    measured = {row.method for row in rows}
    partly = [method for method in slow if method in measured]
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    return f"""# Results

How well ninspect separates models with a trained-in backdoor from clean ones. Made by

    {command}

with {versions},
on a CPU; nothing was measured on a GPU.

Other people trained and published these models. They are not part of this repository. Each has a card with what was
measured on it. All models were scanned with the same settings. The way in which the default method joins its scores
was chosen with these models in view, so expect lower rates elsewhere.

A model is `clean` if every required question has an answer; one about triggers for images of one class is not
required ([decisions.md](decisions.md#findings-and-verdict)).

{markdown(summary(rows, ScanRequest.alpha))}
| column or row | meaning |
| --- | --- |
| *one target* | The trigger sends every image to one class, with a measured success of at least {WORKING_ATTACK:.0%}. |
| *all to all* | The trigger sends class k to class k + 1. |
| *none* | Clean, repaired, or the attack failed; the rates are false alarms. Clean models of unknown origin are \
presumed clean, not proven. |
| *AUC* | Probability that a backdoored model is more suspicious than a clean one. Suspected models come first, since \
evidence may have decided; then models are ordered by p-value. |
| *TPR at 0.01* | Share of `suspected` models. `default` decides with its evidence, the others by p ≤ 0.01. |
| *TPR at 0.05* | Share of p-values up to 0.05. |
| *TPR, index > 2* | The published rule, which does not depend on the number of classes. |
| *top-1 target* | Share of models in which the class that is named first is the true target. |
| *s / model* | Median time of a whole scan. |
| *detectors alone* | Mean time without evidence and without what every scan does. |
| `default, no images` | Measured before `agreement` joined the default. |
| `neuroninspect` | The published features with ninspect's p-values. |
| `activated` | The default's first detector alone, without `all-to-all`, the search for triggers and for pairs. |
| `neural_cleanse` | One mini-batch a step. Its authors' program makes 31, which takes about ten times as long. |

Every scan ran on one core. The times of `default` and `neuroninspect` are too long, since the machine had other work;
[performance.md](performance.md) has some of an otherwise idle machine.

## By data set

These methods were measured up to {slow_up_to} classes only, because more take days: {", ".join(partly)}.

{markdown(dataset_table(rows))}
Total time of the detectors alone, on one core, over the models that all of these methods scanned. Multiples of the
first method's time are in brackets:

{markdown(time_table(rows, partly))}
## By kind of attack

Share of `suspected` models:

{markdown(family_table(rows))}
## What accuses

How many models each part of the first method accuses, in brackets those that no other part accuses:

{markdown(parts_table(row for row in rows if row.method == rows[0].method))}
## Verdicts

{markdown(verdict_table(rows))}
Some models are left out of the rates: those with a weaker attack, a constant output, or no images to scan them with,
and `AgentGuo__mnist_lenet5_instancekey`, which answers one memorised picture wrongly and has no trigger to find.

## What `{rows[0].method if rows else ""}` got wrong or could not decide

{mistakes(rows)}

## What is still missed

- Some opaque patches of 12 pixels and more, and some in the middle of the object ([study.md](study.md)): there the
  patch is most of what a class is told by.
- Triggers that are different noise for every image.
- Triggers that work on images of one class alone. In models of more than 20 classes ninspect does not look for them. In
  smaller models they make the verdict inconclusive, as classes that are alike sometimes do.
- Attacks that seldom work, and all-to-all attacks that work on fewer than two thirds of the images.
- Without images: all-to-all attacks, and a quarter of those with one target. No model is called clean there. The
  tables say how many of the models were scanned so.

TrojanZoo has no row, because its authors' numbers are of models of their own.
"""
