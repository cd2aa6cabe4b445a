"""The result as SARIF 2.1.0, for code scanning.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ninspect.findings import Rule
from ninspect.findings import catalogue as findings
from ninspect.findings.backdoors import ALL_TO_ALL, ATLAS, ATLAS_VERSION, NOT_JUDGED, RULES, TARGET
from ninspect.report.schema import Result
from ninspect.report.wording import evidence, finding, named, probability, sentence
from ninspect.text import printable

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ATLAS = {"name": "MITRE ATLAS", "index": 0}


def sarif_report(result: Result) -> str:
    """The result as a SARIF log with one run."""
    driver = {
        "name": "ninspect",
        "version": result.versions.get("ninspect", "unknown"),
        "rules": [_rule(rule) for rule in RULES],
        "supportedTaxonomies": [_ATLAS],
    }
    run = {
        "tool": {"driver": driver},
        "taxonomies": [_taxonomy()],
        "artifacts": [_artifact(result)],
        "results": list(_results(result)),
        "invocations": [_invocation(result)],
        "columnKind": "unicodeCodePoints",
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


def _artifact(result: Result) -> dict[str, Any]:
    return {
        "location": _location(result),
        "roles": ["analysisTarget"],
        "hashes": {"sha-256": result.model.sha256} if result.model.sha256 else None,
    }


def _location(result: Result) -> dict[str, Any]:
    path = Path(result.model.path)
    encoded = quote(os.fsencode(path.as_posix()))
    return {"uri": f"file://{encoded}" if path.is_absolute() else encoded, "index": 0}


def _results(result: Result) -> Iterator[dict[str, Any]]:
    """One result for each suspected class, or for all of them where they are partners, and for each finding."""
    if result.verdict == "inconclusive":
        yield _result(result, NOT_JUDGED, sentence(result.reason))
    permuted = [c for d in result.detectors if d.name == "all-to-all" for c in d.targets]
    alone = {c for d in result.detectors if d.name != "all-to-all" for c in d.targets}
    alone |= {trigger.label for trigger in result.triggers if trigger.convincing and trigger.source is None}
    if permuted and result.targets:
        yield _result(result, ALL_TO_ALL, sentence(result.reason))
    for label in result.targets:
        if label in alone or label not in permuted:
            yield _suspect(result, label)
    for found in result.findings:
        yield _result(result, findings.RULES[found.rule], finding(found, ""))


def _suspect(result: Result, label: int) -> dict[str, Any]:
    index = next((d.index[result.explained.index(label)] for d in result.detectors if label in d.targets), None)
    text = f"{named(result, label)} looks like the target of a backdoor ({probability(result.p_value)})."
    shown = [evidence(trigger) for trigger in result.triggers if trigger.label == label]
    properties = {"class": label, "index": index, "confidence": result.confidence}
    return _result(result, TARGET, sentence(" ".join([text, *shown])), label) | {"properties": properties}


def _result(result: Result, rule: Rule, text: str, label: int | None = None) -> dict[str, Any]:
    return {
        "ruleId": rule.id,
        "ruleIndex": RULES.index(rule),
        "level": rule.severity,
        "message": {"text": printable(text)},
        # A model has no lines, but code scanning shows nothing without one.
        "locations": [{"physicalLocation": {"artifactLocation": _location(result), "region": {"startLine": 1}}}],
        # The second name is the only one that GitHub looks at.
        "partialFingerprints": dict.fromkeys(
            ("modelAndClass/v1", "primaryLocationLineHash"), _fingerprint(result, rule, label)
        ),
        "taxa": [_technique(taxon) for taxon in rule.techniques],
    }


def _fingerprint(result: Result, rule: Rule, label: int | None) -> str:
    """The same whenever the same file shows the same finding, wherever it lies and however it is scanned."""
    model = result.model.sha256 or result.model.path
    return hashlib.sha256(os.fsencode(f"{rule.id} {model} {label}")).hexdigest()


def _invocation(result: Result) -> dict[str, Any]:
    warnings = [{"level": "warning", "message": {"text": printable(sentence(text))}} for text in result.warnings]
    return {
        "executionSuccessful": True,
        "exitCode": int(result.exit_code),
        "exitCodeDescription": result.verdict,
        "toolExecutionNotifications": warnings,
    }


def _without_nulls(value: Any) -> Any:
    """Without the entries that are not known: SARIF allows null almost nowhere."""
    if isinstance(value, dict):
        return {name: _without_nulls(entry) for name, entry in value.items() if entry is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value
