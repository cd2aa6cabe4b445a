"""The result as SARIF 2.1.0, for code scanning.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ninspect.findings import ATLAS, ATLAS_VERSION, RULES, Rule
from ninspect.report.schema import FindingInfo, Result
from ninspect.report.wording import Asked, asked, evidence, explained, finding, named, sentence
from ninspect.text import printable, probability

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_TARGET = "BD001"
_ATLAS = {"name": "MITRE ATLAS", "index": 0}


def sarif_report(result: Result) -> str:
    """The result as a SARIF log with one run."""
    return sarif_summary([result])


def sarif_summary(results: Iterable[Result]) -> str:
    """Results of several models as a SARIF log with one run."""
    artifacts: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    invocations, models = list[dict[str, Any]](), list[dict[str, Any]]()
    version = "unknown"
    for result in results:
        place = len(artifacts)
        artifacts += _artifacts(result, place)
        found += _results(result, place)
        invocations.append(_invocation(result))
        version = result.versions.get("ninspect", version)
        models.append({"verdict": result.verdict, "coverage": _coverage(result)})
    driver = {
        "name": "ninspect",
        "version": version,
        "rules": [_rule(rule) for rule in RULES.values()],
        "supportedTaxonomies": [_ATLAS],
    }
    run = {
        "tool": {"driver": driver},
        "taxonomies": [_taxonomy()],
        "artifacts": artifacts,
        "results": found,
        "invocations": invocations,
        "columnKind": "unicodeCodePoints",
        "properties": models[0] if len(models) == 1 else {"models": models},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(_without_nulls(log), indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": sentence(rule.title)},
        "fullDescription": {"text": rule.meaning},
        "help": {"text": rule.advice},
        "defaultConfiguration": {"level": rule.severity},
        "relationships": [{"target": _technique(taxon), "kinds": ["relevant"]} for taxon in rule.techniques],
        "properties": {"tags": ["security", "machine-learning"]},
    }


def _technique(taxon: str) -> dict[str, Any]:
    return {"id": taxon, "index": list(ATLAS).index(taxon), "toolComponent": _ATLAS}


def _taxonomy() -> dict[str, Any]:
    return {
        "name": "MITRE ATLAS",
        "version": ATLAS_VERSION,
        "organization": "MITRE",
        "informationUri": "https://atlas.mitre.org",
        "shortDescription": {"text": "Adversarial Threat Landscape for Artificial-Intelligence Systems"},
        "isComprehensive": False,
        "taxa": [
            {
                "id": taxon,
                "name": name,
                "shortDescription": {"text": name},
                "helpUri": f"https://atlas.mitre.org/techniques/{taxon}",
            }
            for taxon, name in ATLAS.items()
        ],
    }


def _artifacts(result: Result, place: int) -> Iterator[dict[str, Any]]:
    """The .onnx file, then those that its weights lie in."""
    files = result.model.files
    hashes = {"sha-256": files[0].sha256} if files else None
    yield {"location": _location(result, place), "roles": ["analysisTarget"], "hashes": hashes}
    for file in files[1:]:
        location = {"uri": _uri(Path(result.model.path).parent / file.name)}
        yield {"location": location, "parentIndex": place, "hashes": {"sha-256": file.sha256}, "length": file.bytes}


def _location(result: Result, place: int) -> dict[str, Any]:
    return {"uri": _uri(Path(result.model.path)), "index": place}


def _uri(path: Path) -> str:
    encoded = quote(os.fsencode(path.as_posix()))
    return f"file://{encoded}" if path.is_absolute() else encoded


def _results(result: Result, place: int) -> Iterator[dict[str, Any]]:
    """One entry for each suspected class, and for each other finding that is not only told."""
    for found in result.findings:
        if found.rule == _TARGET and found.classes:
            yield from (_suspect(result, place, found, label) for label in found.classes)
        elif found not in _told(result):
            yield _result(result, place, found, finding(found))


def _told(result: Result) -> list[FindingInfo]:
    """Notes about the scan are notifications; not those that are accepted, as only results can be suppressed."""
    about_file = explained(result)
    notes = [found for found in result.findings if found.severity == "note" and not found.ignored]
    return [found for found in notes if found not in about_file]


def _coverage(result: Result) -> list[dict[str, Any]]:
    """Every question, what became of it as the result has it, and for people."""
    return [
        answer.model_dump() | {"text": _line(one)} for answer, one in zip(result.coverage, asked(result), strict=True)
    ]


def _line(one: Asked) -> str:
    return printable(sentence(f"{one.title}: {one.word}: {one.detail}"))


def _suspect(result: Result, place: int, found: FindingInfo, label: int) -> dict[str, Any]:
    index = next((d.index[result.explained.index(label)] for d in result.detectors if label in d.targets), None)
    text = f"{named(result, label)} looks like the target of a backdoor ({probability(result.p_value)})."
    shown = [evidence(trigger) for trigger in (*result.stamps, *result.triggers) if trigger.label == label]
    properties = {"class": label, "index": index, "confidence": result.confidence}
    return _result(result, place, found, sentence(" ".join([text, *shown])), label) | {"properties": properties}


def _result(result: Result, place: int, found: FindingInfo, text: str, label: int | None = None) -> dict[str, Any]:
    accepted = {"kind": "external", "justification": "accepted with --ignore"}
    known = RULES.get(found.rule)  # a result of a later version may have rules that this one lacks
    return {
        "ruleId": found.rule,
        "ruleIndex": None if known is None else list(RULES).index(found.rule),
        "level": found.severity,
        "message": {"text": printable(text)},
        # A model has no lines, but code scanning shows nothing without one.
        "locations": [{"physicalLocation": {"artifactLocation": _location(result, place), "region": {"startLine": 1}}}],
        # The second name is the only one that GitHub looks at.
        "partialFingerprints": dict.fromkeys(
            ("modelAndClass/v1", "primaryLocationLineHash"), _fingerprint(result, found.rule, label)
        ),
        "suppressions": [accepted] if found.ignored else None,
        "taxa": None if known is None else [_technique(taxon) for taxon in known.techniques],
    }


def _fingerprint(result: Result, rule: str, label: int | None) -> str:
    """The same whenever the same file shows the same finding, wherever it lies and however it is scanned."""
    model = result.model.sha256 or result.model.path
    return hashlib.sha256(os.fsencode(f"{rule} {model} {label}")).hexdigest()


def _invocation(result: Result) -> dict[str, Any]:
    notes = [
        {"level": "note", "message": {"text": printable(sentence(found.message))}, "descriptor": {"id": found.rule}}
        for found in _told(result)
    ]
    return {
        "startTimeUtc": result.date,
        "executionSuccessful": True,
        "toolExecutionNotifications": notes,
    }


def _without_nulls(value: Any) -> Any:
    """Without the entries that are not known: SARIF allows null almost nowhere."""
    if isinstance(value, dict):
        return {name: _without_nulls(entry) for name, entry in value.items() if entry is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value
