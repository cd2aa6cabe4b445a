"""The table of operators is the one that the code would write."""

from pathlib import Path

import pytest
from onnx import defs

from ninspect.gradient.registry import FACTS, RULES
from ninspect.graph.convert import EXPANDED
from ninspect.graph.expansions import EXPANSIONS
from ninspect.graph.fused import LEGACY
from ninspect.graph.integers import INTEGER_OPERATORS
from ninspect.graph.tabular import TABULAR_OPERATORS
from tools.pages.operators import page

ROOT = Path(__file__).parents[2]


def test_docs_operators_md_is_up_to_date() -> None:
    text = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    assert text == page(), "run python -m tools.pages.operators"


def test_every_operator_is_treated_in_one_way() -> None:
    zero = {operator for operator, facts in FACTS.items() if facts.zero_gradient}
    kinds = [set(RULES), zero, *map(set, (EXPANDED, EXPANSIONS, LEGACY, INTEGER_OPERATORS, TABULAR_OPERATORS))]
    assert len(set().union(*kinds)) == sum(map(len, kinds))
    assert set(RULES) >= {operator for operator, facts in FACTS.items() if facts.quantizes}


@pytest.mark.parametrize("operator", sorted({*RULES, *FACTS, *EXPANDED, *EXPANSIONS}))
def test_operators_are_those_of_the_standard(operator: str) -> None:
    assert defs.has(operator)


@pytest.mark.parametrize("operator", sorted(RULES))
def test_every_rule_says_its_formula(operator: str) -> None:
    assert (RULES[operator].__doc__ or "").partition("\n")[0].endswith(".")
