"""Write docs/operators.md: what ninspect does with every operator, and how many models that covers.

The operators come from the table of gradient rules, their tests from tests/gradient, and the coverage from
docs/coverage.csv, which `tools.suite.check` writes.
"""

from __future__ import annotations

import csv
import inspect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType

import typer
from onnx import defs

import ninspect
from ninspect.gradient.registry import FACTS, RULES
from ninspect.graph.convert import TARGET_OPSET
from ninspect.graph.expansions import EXPANSIONS
from ninspect.graph.fused import FUSED, LEGACY
from ninspect.graph.tabular import TABULAR_OPERATORS
from ninspect.model.operator_check import ELSEWHERE
from ninspect.model.operators import Support, supported
from tests.gradient import cases
from tests.gradient.support import parse
from tests.gradient.test_node_cases import NEWEST_OPSET, node_cases
from tools import ROOT

_PAGE = ROOT / "docs" / "operators.md"
_COVERAGE = ROOT / "docs" / "coverage.csv"
_CODE = Path(ninspect.__file__).parent
_HEAD = f"""# Operators

Which operators may lie between the image and the scores. Elsewhere in a file, whose nodes ONNX Runtime runs all, only
these may lie, and {", ".join(sorted(ELSEWHERE))}.
Written by `python -m tools.pages.operators` from the rules themselves: the formulas are the first lines of their
descriptions.

Those whose name has a domain are ONNX Runtime's own: `com.microsoft` are what its optimisers and quantisers write,
`com.microsoft.nchwc` is the layout of its convolutions on x86.

x is the input, y the output, x̄ and ȳ are the gradients with respect to them; A and B are operands that both get a
gradient. *Zero* means that the derivative is zero wherever it exists, so that no gradient flows this way. *Expanded*
operators are replaced by their definition before the gradient is built, *written out* ones by operators of the standard
that compute the same: what an optimiser fused is taken apart again, and quantised networks become floats between
DequantizeLinear and QuantizeLinear.

*Opsets* are the versions in which the standard changed the operator. All of them are read: models older than opset
{TARGET_OPSET} are converted to it by the onnx package. *Tests* are the cases in which the operator occurs, checked
against PyTorch in float64 and against finite differences, with a link to those of its family; and how many of the onnx
package's own node tests hold it, each checked against finite differences where that is possible.

"""


def page() -> str:
    """The text of docs/operators.md."""
    table = supported()
    lines = [
        f"{len(RULES)} of {len(table)} operators have a rule of their own.",
        "",
        "| Operator | Opsets | Gradient | Tests | Notes |",
        "|---|---|---|---|---|",
        *(_row(operator, support) for operator, support in table.items()),
    ]
    return _HEAD + "\n".join(lines) + "\n\n" + "\n".join(_coverage())


def _row(operator: str, support: Support) -> str:
    cells = (operator, _opsets(operator), _gradient(operator, support), _tests(operator), _notes(operator))
    return f"| {' | '.join(cells)} |"


def _gradient(operator: str, support: Support) -> str:
    """How it is differentiated, with the formula linked to the code."""
    if not support.formula:
        return support.how
    file = Path(inspect.getfile(_code(operator))).relative_to(_CODE)
    formula = support.formula.replace("|", "\\|")
    return ("" if support.how == "rule" else f"{support.how}: ") + f"[{formula}](../ninspect/{file})"


def _code(operator: str) -> FunctionType:
    """The function behind a rule or an expansion."""
    code = inspect.unwrap(RULES.get(operator) or EXPANSIONS.get(operator) or _written_out()[operator])
    assert isinstance(code, FunctionType)
    return code


def _written_out() -> Mapping[str, Callable[..., object]]:
    """The functions that write out what an optimiser fused, by the names in the table."""
    return {f"{domain}::{name}": code for (domain, name), code in FUSED.items()} | LEGACY


def _notes(operator: str) -> str:
    """What a description says after its first line, and what it refuses: the ModelError of its section `Raises`."""
    rule = RULES.get(operator) or EXPANSIONS.get(operator) or _written_out().get(operator)
    _, _, rest = inspect.cleandoc((rule and rule.__doc__) or "").partition("\n\n")
    text, _, refused = rest.partition("Raises:\n    ModelError: ")
    notes = [" ".join(part.split()) for part in (text, f"Refused: {refused}" if refused else "")]
    return " ".join(note for note in notes if note)


def _opsets(operator: str) -> str:
    """The versions of an operator of the standard that ONNX Runtime knows; the domain of the others."""
    if operator in TABULAR_OPERATORS:
        return "ai.onnx.ml"
    if operator in LEGACY or "::" in operator:
        return ""
    if not defs.has(operator):
        return "com.microsoft"
    schemas = defs.get_all_schemas_with_history()
    versions = {s.since_version for s in schemas if s.name == operator and s.domain == ""}
    return ", ".join(map(str, sorted(v for v in versions if v <= NEWEST_OPSET)))


@cache
def _cases() -> dict[str, Counter[str]]:
    """By operator, how many cases each file has."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, module in vars(cases).items():
        if isinstance(module, ModuleType) and hasattr(module, "CASES"):
            for case in module.CASES:
                nodes = parse(case.nodes, (None, *case.shape), {}, case.opset).graph.node
                for operator in {node.op_type for node in nodes}:
                    counts[operator][name] += 1
    return counts


def _tests(operator: str) -> str:
    """The number of cases, with a link to those of the rule's family, and the number of onnx's node tests."""
    if operator in _written_out():
        return "[against ONNX Runtime](../tests/graph/test_fused.py)"
    parts = []
    if operator in _cases():
        family = Path(inspect.getfile(inspect.unwrap(RULES[operator]))).stem if operator in RULES else ""
        file = family if family in _cases()[operator] else _cases()[operator].most_common(1)[0][0]
        parts.append(f"[{_cases()[operator].total()}](../tests/gradient/cases/{file}.py)")
    differentiated = operator not in FACTS or not FACTS[operator].zero_gradient
    if differentiated and node_cases().get(operator):
        parts.append(f"{len(node_cases()[operator])} of onnx")
    return ", ".join(parts)


def _coverage() -> Iterator[str]:
    """The section about models."""
    with _COVERAGE.open(newline="", encoding="utf-8") as stream:
        versions = stream.readline().removeprefix("# ").strip()
        rows = list(csv.DictReader(stream))
    failed = [row for row in rows if row["reason"]]
    yield from _COVERAGE_HEAD.format(
        versions=versions, passed=len(rows) - len(failed), count=len(rows), share=1 - len(failed) / len(rows)
    ).splitlines()
    forms = [form for form, _ in _COLUMNS]
    yield from ("", f"| | {' | '.join(forms)} |", "|---" * (len(forms) + 1) + "|")
    cells: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for row in rows:
        form = next(name for name, prefix in _COLUMNS if row["form"].startswith(prefix))
        cells[row["family"], form].append(not row["reason"])
    for family in sorted({row["family"] for row in rows}, key=str.lower):
        counts = [cells[family, form] for form in forms]
        yield f"| {family} | {' | '.join(f'{sum(c)}/{len(c)}' if c else '' for c in counts)} |"
    yield from ("", "Files that do not pass:" if failed else "Every file passes.", "")
    yield from (f"- `{row['file']}`: {row['reason']}" for row in failed)


_COLUMNS = (("TorchScript", "torchscript"), ("dynamo", "dynamo"), ("other", ""))
_COVERAGE_HEAD = """## Coverage

{passed} of {count} files pass as exported ({share:.1%}), with {versions}:

    python -m tools.suite.export  # once in each of the environments that the modules of tools/suite name
    python -m tools.suite.check .cache/export_suite --csv docs/coverage.csv
    python -m tools.pages.operators

The files are architectures with random weights and reduced width or depth, in every form in which people get them: both
PyTorch exporters with a fixed and a free batch, Keras, scikit-learn, the models that ship with the onnx package,
quantised, in half precision, of every opset from 7 to 26, and as tools leave them: optimised by ONNX Runtime and by its
transformers' optimiser, then quantised or not, and through Optimum, Paddle2ONNX, MXNet and onnxmltools (Core ML). Of
files that take images of any size, the size is given, as with --size. *zoo* are models that other people trained and
published, which are not part of this repository.

Two networks are not quantised and optimised, SqueezeNet and MobileNet v2: with random weights, their answers to two
images differ by less than what rounding does, so there is nothing to check a gradient with.

Six exports are not among them, because the exporter or ONNX Runtime refuses what a tool wrote: Keras' ConvNeXtTiny and
EfficientNetB0, each in both ways, and onnxconverter-common's float16 ViT, pure and mixed.

A file passes when the augmented model gives the scores of the file itself in ONNX Runtime, and the gradient that its
framework computes in float64 for the same weights; relative errors are norms of differences over norms.

| | scores | gradient | why |
|---|---|---|---|
| float32 | 1e-5 | 1e-4 | |
| float16 | 1e-2 | 1e-2; 0.2 for ResNet | rounding takes a unit in a thousand across the kink of its ReLU, \
and with it a few per cent of the gradient of every layer |
| quantised | 5e-2 | 1e-4 | ONNX Runtime rounds single integers differently with and without fused operators; \
the gradient is straight through, given the integers |
| without a framework | 1e-4 | 5e-2 | the two truth tests of every scan: the gradient against differences of scores |
"""


def main() -> None:
    """Write docs/operators.md.

    Example: python -m tools.pages.operators
    """
    _PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
