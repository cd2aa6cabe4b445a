"""Write docs/operators.md: what ninspect does with every operator, from the table of gradient rules itself.

python tools/operators.py
"""

from __future__ import annotations

import inspect
from pathlib import Path

from ninspect import gradient
from ninspect.gradient.registry import RULES, ZERO_GRADIENT
from ninspect.model.prepare import EXPANDED
from ninspect.model.quantized import INTEGER_OPERATORS

_PAGE = Path(__file__).parents[1] / "docs" / "operators.md"
_RULES = Path(gradient.__file__).parent / "rules"
_HEAD = """# Operators

Which operators may lie between the image and the scores. Anything may lie elsewhere. Written by
`python tools/operators.py` from the rules themselves: the formulas are the first lines of their descriptions.

x is the input, y the output, x̄ and ȳ are the gradients with respect to them; A and B are operands that both get a
gradient. *Zero* means that the derivative is zero wherever it exists, so that no gradient flows this way. *Expanded*
operators are replaced by their definition in the ONNX standard, *written out* ones by DequantizeLinear, the operator on
floats and QuantizeLinear, before the gradient is built.

"""


def page() -> str:
    """The text of docs/operators.md."""
    rows = {operator: _rule_row(operator) for operator in RULES}
    rows |= dict.fromkeys(ZERO_GRADIENT, ("zero", ""))
    rows |= dict.fromkeys(EXPANDED, ("expanded", ""))
    rows |= dict.fromkeys(INTEGER_OPERATORS, ("written out", ""))
    lines = [
        f"{len(RULES)} of {len(rows)} operators have a rule.",
        "",
        "| Operator | Gradient | Rule |",
        "|---|---|---|",
    ]
    lines += [f"| {operator} | {gradient} | {file} |" for operator, (gradient, file) in sorted(rows.items())]
    return _HEAD + "\n".join(lines) + "\n"


def _rule_row(operator: str) -> tuple[str, str]:
    """The formula, and a link to the file that holds the rule."""
    rule = inspect.unwrap(RULES[operator])
    formula = (RULES[operator].__doc__ or "").partition("\n")[0].removesuffix(".").replace("|", "\\|")
    file = Path(inspect.getfile(rule)).relative_to(_RULES)
    return formula, f"[{file}](../ninspect/gradient/rules/{file})"


if __name__ == "__main__":
    _PAGE.write_text(page(), encoding="utf-8")
