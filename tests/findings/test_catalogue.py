import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

import ninspect
from ninspect.errors import UsageError
from ninspect.findings import ATLAS, RULES, Finding, effect, selected, verdict

PACKAGE = Path(ninspect.__file__).parent
FAMILIES = ("HX", "IN", "GR", "MD", "SC", "IM", "PP", "BD", "CV")
ERROR, WARNING, NOTE = Finding("BD001", "a"), Finding("IM002", "b"), Finding("IM003", "c")


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_every_rule_has_an_id_of_its_family_and_says_what_it_means_and_what_to_do(rule: ninspect.findings.Rule) -> None:
    assert re.fullmatch(f"({'|'.join(FAMILIES)})[0-9]{{3}}", rule.id)
    assert not rule.title.endswith(".")
    assert rule.meaning.endswith(".")
    assert rule.advice.endswith(".")
    assert set(rule.techniques) <= set(ATLAS)


def test_every_rule_is_used_and_every_id_in_the_code_is_a_rule() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py") if "findings" not in path.parts)
    named = set(re.findall(rf'"((?:{"|".join(FAMILIES)})\d{{3}})"', code))
    assert named == set(RULES)


@pytest.mark.parametrize(
    ("severity", "ignored", "expected"),
    [
        ("error", False, "suspected"),
        ("error", True, "inconclusive"),
        ("warning", False, "inconclusive"),
        ("warning", True, "clean"),
        ("note", False, "clean"),
        ("note", True, "clean"),
    ],
)
def test_what_a_finding_does_to_the_verdict(severity: ninspect.findings.Severity, ignored: bool, expected: str) -> None:
    assert effect(severity, ignored) == expected


def test_the_verdict_is_the_worst_of_all_findings_in_any_order() -> None:
    assert verdict([]) == "clean"
    worst = {ERROR: "suspected", WARNING: "inconclusive", NOTE: "clean"}
    for count in (1, 2, 3):
        for some in combinations(worst, count):
            assert verdict(some) == verdict(some[::-1]) == worst[some[0]]


def test_an_accepted_error_never_makes_a_model_clean() -> None:
    for rule in RULES.values():
        finding = replace(ERROR, rule=rule.id, ignored=True)
        assert verdict([finding]) == ("inconclusive" if rule.severity == "error" else "clean")


def test_rules_are_selected_by_id_or_by_the_beginning_of_it() -> None:
    assert selected([]) == frozenset()
    assert selected(["GR001"]) == selected(["gr001"]) == {"GR001"}
    assert selected(["GR", "IM00"]) == {id_ for id_ in RULES if id_.startswith(("GR", "IM00"))}


@pytest.mark.parametrize("prefix", ["", "X", "GR9", "BD003", "GR0011"])
def test_what_selects_no_rule_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match="is no finding; ninspect rules lists them"):
        selected([prefix])


@pytest.mark.parametrize("prefix", ["C", "CV", "CV001"])
def test_a_question_without_an_answer_cannot_be_accepted(prefix: str) -> None:
    with pytest.raises(UsageError, match="leave the question out with --skip"):
        selected([prefix])
