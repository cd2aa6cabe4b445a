"""Tables of what was measured on models whose truth is known, and the words that are needed to read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.stats import mannwhitneyu

from ninspect import ScanOptions
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
    lines = [f"- {row.verdict}: `{row.model}`, {row.family}, target {row.target}; {row.reason}." for row in missed]
    lines += [f"- false alarm: `{row.model}`; {row.reason}." for row in alarms]
    lines += [f"- inconclusive, clean: `{row.model}`; {row.reason}." for row in unsure]
    return "\n".join(lines) or "None."


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

How well models with a trained-in backdoor are told from clean ones. Made by

    {command}

with {versions},
on a CPU. The models were trained and published by other people; each comes with a card that says what
was measured on it. They are not part of this repository. One setting served for all models. How the scores of the
default method are joined was chosen with these models in view, so expect less on others. GPU: not measured.

{markdown(summary(rows, ScanOptions().alpha))}
- *One target*: the trigger sends every image to one class, with a measured success of at least {WORKING_ATTACK:.0%}.
  *All to all*: class k is sent to class k + 1. *None*: clean, repaired, or the attack failed; here the rates are false
  alarms. Clean models of unknown origin are presumed clean, not proven.
- *AUC*: probability that a backdoored model is more suspicious than a clean one: first those that are suspected, since
  evidence may have decided, then by p-value.
- *TPR at 0.01*: share of `suspected`; of `default` with its evidence, of the others p ≤ 0.01. *At 0.05*: share of
  p-values up to 0.05. *Index > 2*: the published rule, which knows nothing of the number of classes.
- *neuroninspect*: the published features with ninspect's p-values. *activated*: the default's first detector alone,
  without `all-to-all`, the search for triggers and the look at pairs of classes.
- *neural_cleanse* makes one mini-batch a step, its authors' program 31, which takes about ten times as long.
- *Top-1 target*: share in which the class that is named first is the true target.
- *s / model*: median time of a whole scan; *detectors alone*: mean time without evidence and what every scan does. On
  one core each, of `neuroninspect` on a machine with other work. docs/performance.md has times on two cores at rest.

By data set. Measured up to {slow_up_to} classes only, because they take days for more: {", ".join(partly)}.

{markdown(dataset_table(rows))}
Time of the detectors alone, on one core, over the models that all of these looked at; in brackets multiples of the
first's:

{markdown(time_table(rows, partly))}
Share of `suspected` by kind of attack:

{markdown(family_table(rows))}
{markdown(verdict_table(rows))}
*Left out* of the rates: models with a weaker attack, a constant output, or no images to scan them with.

## What `{rows[0].method if rows else ""}` got wrong or could not tell

{mistakes(rows)}

## What is still missed

- Large opaque patches: of 6 pixels many, of 8 and more nearly all, though the target mostly ranks first
  ([study.md](study.md)). Their triggers are a third to two thirds of what other classes need, as in some clean models.
- Triggers that are another noise for every image.
- Triggers that work on images of one class alone, in models of more than 20 classes: they are not looked for, and the
  model is inconclusive. In smaller ones they make the model inconclusive, as classes that are alike sometimes do.
- Attacks that seldom work, and all-to-all attacks that work on fewer than two thirds of the images.
- Without images, all-to-all attacks and a third of those with one target; nothing is called clean there.

TrojanZoo has no row: its authors' numbers are of models of their own.
"""
