"""What every format says of a screening, in the same words."""

from __future__ import annotations

from ninspect.report.screening.schema import Screening, SuspectInfo
from ninspect.report.wording import sentence

NOT_A_PROOF = (
    "A picture that is not found may carry a trigger that the scan did not recover. One that is found may be a natural "
    "one that the model judges by a small spot: look at it."
)
MEANING = (
    "Score: how far the answer goes with a part of the picture. Moved: probability of the answer for other pictures "
    "with that part; kept: for the picture without it."
)


def headline(screening: Screening) -> str:
    """`FOUND  200 of 2,000 pictures carry the trigger`."""
    found, total = len(screening.found), screening.total
    if found:
        return f"{found:,} of {total:,} pictures carry a trigger, as far as can be told"
    return f"none of {total:,} pictures was found to carry a trigger"


def word(screening: Screening) -> str:
    """The outcome in one word."""
    return "found" if screening.found else "inconclusive" if screening.doubts else "none"


def named_class(screening: Screening, label: int) -> str:
    """`5 limit_120`; the number alone where there is no name."""
    names = screening.class_names
    known = label < len(names) and names[label] != str(label)
    return f"{label} {names[label]}" if known else str(label)


def remarks(screening: Screening) -> list[str]:
    """What was looked for and how sure that is, in sentences."""
    lines = [_looked_for(screening, suspect) for suspect in screening.suspects]
    others = screening.total - len(screening.pictures) - screening.unreadable
    lines.append(f"{others:,} pictures have another answer, so no trigger works on them")
    if screening.drawn:
        lines.append("parts were exchanged with drawn pictures, as hardly any of these have another answer")
    if screening.unreadable:
        shown = "; ".join(screening.named[:3])
        lines.append(f"{screening.unreadable:,} pictures could not be read ({shown})")
    return [sentence(line) for line in (*lines, *screening.notes, *screening.doubts)]


def _looked_for(screening: Screening, suspect: SuspectInfo) -> str:
    answered = sum(one.answer == suspect.label for one in screening.pictures)
    source = "" if suspect.source is None else f", from class {named_class(screening, suspect.source)} alone"
    line = f"class {named_class(screening, suspect.label)}{source}: {answered:,} pictures have this answer"
    if suspect.control is not None:
        line += f"; of {suspect.controls} others with the recovered trigger put on, {suspect.control:.0%} are found"
    return line
