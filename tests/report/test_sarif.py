import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ninspect.findings.backdoors import RULES
from ninspect.report import Result, render
from tests.report.examples import DETECTOR, MODEL, TRIGGER, example
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
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [rule.id for rule in RULES]
    (taxonomy,) = run["taxonomies"]
    assert (taxonomy["name"], taxonomy["version"]) == ("MITRE ATLAS", "5.6.0")
    assert {taxon["id"] for taxon in taxonomy["taxa"]} == TECHNIQUES
    assert "null" not in render(result, "sarif")
    for entry in run["results"]:
        assert run["tool"]["driver"]["rules"][entry["ruleIndex"]]["id"] == entry["ruleId"]
        assert {taxon["id"] for taxon in entry["taxa"]} <= TECHNIQUES
        for taxon in entry["taxa"]:
            assert taxonomy["taxa"][taxon["index"]]["id"] == taxon["id"]


def test_a_result_for_each_suspect_one_for_no_verdict_and_none_for_clean() -> None:
    assert found(RESULTS["suspected"]) == [("BD001", "error")]
    assert found(RESULTS["inconclusive"]) == [("BD003", "warning")]
    assert found(RESULTS["clean"]) == []
    two = DETECTOR.model_copy(update={"targets": [7, 4]})
    assert found(example(targets=[7, 4], detectors=[two])) == [("BD001", "error")] * 2


def test_classes_that_are_sent_to_each_other_are_one_finding() -> None:
    alone = DETECTOR.model_copy(update={"targets": []})
    assert found(example(targets=[0, 1, 2], detectors=[alone, PERMUTED], triggers=[])) == [("BD002", "error")]
    both = example(targets=[7, 0, 1, 2], detectors=[DETECTOR, PERMUTED], triggers=[])
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
    other_class = {"targets": [4], "detectors": [DETECTOR.model_copy(update={"targets": [4]})]}
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
