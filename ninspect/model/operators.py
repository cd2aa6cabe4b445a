"""What ninspect does with every operator that it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ninspect.gradient.registry import FACTS, RULES
from ninspect.graph.convert import EXPANDED
from ninspect.graph.expansions import EXPANSIONS
from ninspect.graph.fused import FUSED, LEGACY, MICROSOFT, SAME
from ninspect.graph.integers import INTEGER_OPERATORS
from ninspect.graph.tabular import TABULAR_OPERATORS

How = Literal["rule", "zero", "expanded", "written out"]


@dataclass(frozen=True)
class Support:
    """How an operator between the image and the scores is differentiated.

    Attributes:
        how: `rule`: by a rule of its own; `zero`: its derivative is zero wherever it exists, so no gradient flows
            through; `expanded`: it is replaced by its definition first; `written out`: by operators on floats, or by
            those that an optimiser fused into it.
        formula: of the rule or of the definition, where there is one.
    """

    how: How
    formula: str = ""


def supported() -> dict[str, Support]:
    """Every operator that is known, by name; those of ONNX Runtime that are fused or blocked with their domain."""
    table = {operator: Support("rule", _summary(rule.__doc__)) for operator, rule in RULES.items()}
    table |= {operator: Support("zero") for operator, facts in FACTS.items() if facts.zero_gradient}
    table |= dict.fromkeys(EXPANDED, Support("expanded"))
    table |= {operator: Support("expanded", _summary(code.__doc__)) for operator, code in EXPANSIONS.items()}
    table |= dict.fromkeys((*INTEGER_OPERATORS, *TABULAR_OPERATORS), Support("written out"))
    table |= {operator: Support("written out", _summary(code.__doc__)) for operator, code in LEGACY.items()}
    table |= {
        f"{domain}::{name}": Support("written out", _summary(code.__doc__)) for (domain, name), code in FUSED.items()
    }
    table |= {f"{MICROSOFT}::{name}": Support("written out") for name in SAME}
    return dict(sorted(table.items()))


def _summary(docstring: str | None) -> str:
    return (docstring or "").partition("\n")[0].removesuffix(".")
