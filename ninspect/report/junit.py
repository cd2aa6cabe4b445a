"""The result as JUnit XML, which every continuous integration shows: a test case for the verdict and for each check."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

from ninspect.report.checks import Check, checks
from ninspect.report.schema import Result
from ninspect.report.wording import Outcome, sentence
from ninspect.text import printable

_ELEMENTS = {"failed": "failure", "inconclusive": "error", "skipped": "skipped"}
VERDICTS: dict[str, Outcome] = {"clean": "passed", "suspected": "failed", "inconclusive": "inconclusive"}


def junit_report(result: Result) -> str:
    """The result as one test suite. What speaks for a backdoor is a failure; what could not be judged, an error."""
    verdict = Check("verdict", VERDICTS[result.verdict], sentence(result.reason))
    return junit_suite([(result.model.path, check) for check in (verdict, *checks(result))], result.seconds)


def junit_suite(cases: Iterable[tuple[str, Check]], seconds: float) -> str:
    """One test suite of checks, each with the path of its model."""
    suite = ElementTree.Element("testsuite", name="ninspect", time=f"{seconds:.3f}")
    outcomes = [_case(suite, check, model) for model, check in cases]
    counts = {"tests": len(outcomes)} | {
        name: outcomes.count(outcome)
        for name, outcome in (("failures", "failed"), ("errors", "inconclusive"), ("skipped", "skipped"))
    }
    suite.attrib |= {name: str(count) for name, count in counts.items()}
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=False) + "\n"


def _case(suite: ElementTree.Element, check: Check, model: str) -> str:
    # `printable` also removes what XML forbids: control characters, lone surrogates and non-characters.
    case = ElementTree.SubElement(suite, "testcase", classname=printable(model), name=printable(check.name))
    detail = printable(check.detail)
    if check.outcome in _ELEMENTS:
        ElementTree.SubElement(case, _ELEMENTS[check.outcome], message=detail)
    else:
        ElementTree.SubElement(case, "system-out").text = detail
    return check.outcome
