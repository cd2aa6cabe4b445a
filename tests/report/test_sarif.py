import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ninspect.findings import RULES
from ninspect.names import QUESTIONS
from ninspect.report import Result, render
from ninspect.report.schema import FindingInfo
from tests.report.examples import DETECTOR, MODEL, TARGET, TRIGGER, clean, example, inconclusive
from tests.report.test_formats import RESULTS

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
TECHNIQUES = {"AML.T0018.000", "AML.T0018.001", "AML.T0043.004", "AML.T0010.003"}
PERMUTED = DETECTOR.model_copy(update={"name": "all-to-all", "targets": [0, 1, 2], "test": "permuted share"})


def sarif(result: Result) -> dict[str, Any]:
    """The only run of the log, which is valid."""
    log = json.loads(render(result, "sarif"))
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    return dict(run)


def found(result: Result) -> list[tuple[str, str]]:
    return [(entry["ruleId"], entry["level"]) for entry in sarif(result)["results"]]


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_every_log_is_valid_declares_every_rule_and_has_no_nulls(result: Result) -> None:
    run = sarif(result)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    (taxonomy,) = run["taxonomies"]
    assert (taxonomy["name"], taxonomy["version"]) == ("MITRE ATLAS", "5.6.0")
    assert {taxon["id"] for taxon in taxonomy["taxa"]} == TECHNIQUES
    assert "null" not in render(result, "sarif")
    for entry in run["results"]:
        if entry["ruleId"] not in RULES:
            continue
        assert run["tool"]["driver"]["rules"][entry["ruleIndex"]]["id"] == entry["ruleId"]
        assert {taxon["id"] for taxon in entry["taxa"]} <= TECHNIQUES
        for taxon in entry["taxa"]:
            assert taxonomy["taxa"][taxon["index"]]["id"] == taxon["id"]


def test_a_result_for_each_suspect_one_for_no_verdict_and_none_for_clean() -> None:
    assert found(RESULTS["suspected"]) == [("BD001", "error")]
    assert found(RESULTS["inconclusive"]) == [("MD001", "warning"), ("CV001", "warning")]
    assert found(RESULTS["clean"]) == []
    two = DETECTOR.model_copy(update={"targets": [7, 4]})
    both = TARGET.model_copy(update={"classes": [7, 4]})
    assert found(example(targets=[7, 4], detectors=[two], findings=[both])) == [("BD001", "error")] * 2


def test_a_rule_of_a_later_version_is_shown_though_nothing_is_known_of_it() -> None:
    later = TARGET.model_copy(update={"rule": "BD999"})
    entry = sarif(example(findings=[later]))["results"][0]
    assert (entry["ruleId"], entry["level"]) == ("BD999", "error")
    assert TARGET.advice in entry["message"]["text"]
    assert not {"ruleIndex", "taxa"} & set(entry)


@pytest.mark.parametrize("rule", ["IM003", "IM002", "IN007"])
def test_an_accepted_finding_is_a_suppressed_result(rule: str) -> None:
    accepted = FindingInfo.of(rule, "it is so", ignored=True)
    (entry,) = sarif(clean(accepted))["results"]
    assert entry["ruleId"] == rule
    assert [suppression["kind"] for suppression in entry["suppressions"]] == ["external"]


def test_an_accepted_suspicion_is_suppressed_for_each_class() -> None:
    (entry,) = sarif(inconclusive(TARGET.model_copy(update={"ignored": True})))["results"]
    assert entry["ruleId"] == "BD001"
    assert "suppressions" in entry


def test_notes_about_the_scan_are_notifications_and_notes_about_the_file_results() -> None:
    run = sarif(clean(FindingInfo.of("IM003", "40 images are few"), FindingInfo.of("IN007", "'w' is an input as well")))
    (invocation,) = run["invocations"]
    assert [one["descriptor"]["id"] for one in invocation["toolExecutionNotifications"]] == ["IM003"]
    assert [entry["ruleId"] for entry in run["results"]] == ["IN007"]


def test_the_run_says_when_it_was_and_what_was_asked() -> None:
    run = sarif(clean())
    assert run["invocations"][0]["startTimeUtc"] == "2026-01-02T03:04:05Z"
    assert [answer["question"] for answer in run["properties"]["coverage"]] == list(QUESTIONS)
    assert run["properties"]["verdict"] == "clean"


def test_classes_that_are_sent_to_each_other_are_one_finding() -> None:
    alone = DETECTOR.model_copy(update={"targets": []})
    all_to_all = FindingInfo.of("BD002", "one change permutes the classes", classes=[0, 1, 2])
    permuted = example(targets=[0, 1, 2], detectors=[alone, PERMUTED], triggers=[], findings=[all_to_all])
    assert found(permuted) == [("BD002", "error")]
    both = example(targets=[7, 0, 1, 2], detectors=[DETECTOR, PERMUTED], triggers=[], findings=[all_to_all, TARGET])
    assert found(both) == [("BD002", "error"), ("BD001", "error")]


def test_a_class_that_only_the_evidence_names_is_a_finding() -> None:
    near = DETECTOR.model_copy(update={"targets": []})
    assert found(example(detectors=[near], triggers=[TRIGGER])) == [("BD001", "error")]


def test_fingerprints_are_those_of_the_file_and_the_class_and_of_nothing_else() -> None:
    def fingerprint(**changes: Any) -> str:
        (entry,) = sarif(example(**changes))["results"]
        (value,) = set(entry["partialFingerprints"].values())
        return str(value)

    elsewhere = MODEL.model_copy(update={"path": "/tmp/copy.onnx"})
    assert fingerprint() == fingerprint(model=elsewhere, p_value=0.001, seed=5, seconds=9.0, command=["ninspect"])
    other_class = {
        "targets": [4],
        "detectors": [DETECTOR.model_copy(update={"targets": [4]})],
        "findings": [TARGET.model_copy(update={"classes": [4]})],
    }
    other_model = {"model": MODEL.model_copy(update={"sha256": "cd" * 32})}
    assert len({fingerprint(), fingerprint(**other_class), fingerprint(**other_model)}) == 3


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("models/signs.onnx", "models/signs.onnx"),
        ("/a b/100%#?.onnx", "file:///a%20b/100%25%23%3F.onnx"),
        ("標識\udcff.onnx", "%E6%A8%99%E8%AD%98%5Cudcff.onnx"),
    ],
)
def test_paths_are_uris(path: str, uri: str) -> None:
    run = sarif(example(model=MODEL.model_copy(update={"path": path})))
    assert run["artifacts"][0]["location"]["uri"] == uri
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
