"""What is known of a model so far; a scan that stops early reports just that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ninspect.audit import describe
from ninspect.audit.coverage import coverage, idle, unanswered
from ninspect.audit.selftest import TruthTest
from ninspect.audit.verdict import accusations, judge
from ninspect.detect import Attention, Examination, holm
from ninspect.findings import Finding, selected
from ninspect.machine import library_versions
from ninspect.model import ModelFile
from ninspect.preprocess import Resolved
from ninspect.report.schema import SCHEMA, Result, now
from ninspect.requests import ScanRequest
from ninspect.runtime import Network
from ninspect.samples import Samples

if TYPE_CHECKING:
    from ninspect.audit.reference import Reference


@dataclass
class Record:
    """What is known of a model so far.

    Attributes:
        request: what was asked.
        known: the preprocessing, as far as it is known.
        class_names: by number, for people; empty where they are not known.
        class_map: numbers by the names in the samples, for which the model's answers speak where labels look wrong.
        file_checked: all rules about the file were looked at.
        examined: what the detectors said that have looked, with p-values as if each were the only one.
        settings: of these detectors.
        findings: what was found, apart from what follows from the examinations.
        references: models that the user trusts, opened.
        ended: the detectors have had their say. Before, nobody is accused and nothing is answered.
    """

    request: ScanRequest
    known: Resolved
    class_names: tuple[str, ...]
    file: ModelFile | None = None
    file_checked: bool = False
    network: Network | None = None
    samples: Samples | None = None
    explained: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    accuracy: float | None = None
    class_map: dict[str, int] = field(default_factory=dict)
    truth: list[TruthTest] = field(default_factory=list)
    examined: list[Examination] = field(default_factory=list)
    settings: list[dict[str, Any]] = field(default_factory=list)
    attention: Attention | None = None
    findings: list[Finding] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    ended: bool = False
    start: float = field(default_factory=time.perf_counter)
    date: str = field(default_factory=now)

    @property
    def examinations(self) -> list[Examination]:
        """What the detectors said, with p-values that are corrected for their number."""
        return holm(self.examined)

    def result(self) -> Result:
        """The result as it stands: every finding, the coverage, and the verdict over both."""
        request, examinations = self.request, self.examinations
        classes = self.network.classes if self.network else None
        answers = coverage(examinations, request.required, request.skip, self.file_checked, self.ended, classes)
        accused = accusations(examinations, request.alpha) if self.ended else []
        derived = [*accused, *unanswered(answers), *idle(examinations, answers)]
        findings = _accepted([*self.findings, *derived], request.ignore)
        judgement = judge(findings, examinations, request.alpha)
        return Result(
            schema=SCHEMA,
            date=self.date,
            verdict=judgement.verdict,
            reason=judgement.reason,
            targets=judgement.targets,
            confidence=judgement.confidence,
            p_value=judgement.p_value,
            alpha=request.alpha,
            coverage=[describe.describe_answer(answer, request.skip) for answer in answers],
            findings=[describe.describe_finding(finding) for finding in findings],
            classes=classes,
            class_names=list(self.fitting_names),
            explained=self.explained.tolist(),
            model=describe.describe_model(str(request.model), self.file, self.network),
            samples=describe.describe_samples(self.samples, self.accuracy, self.class_map),
            preprocess=describe.describe_preprocess(self.known, self.network),
            truth_tests=[describe.describe_truth_test(test) for test in self.truth],
            detectors=[
                describe.describe_examination(examination, settings, request.alpha)
                for examination, settings in zip(examinations, self.settings, strict=True)
            ],
            triggers=[describe.describe_trigger(t) for one in examinations for t in one.triggers],
            stamps=[describe.describe_stamp(stamp) for one in examinations for stamp in one.stamps],
            pairs=[describe.describe_pair(pair) for one in examinations for pair in one.pairs],
            references=[describe.describe_reference(reference) for reference in self.references],
            attention=describe.describe_attention(self.attention),
            provider=self.network.provider if self.network else None,
            versions=library_versions(),
            request=request.facts(),
            seed=request.seed,
            seconds=round(time.perf_counter() - self.start, 3),
        )

    @property
    def fitting_names(self) -> tuple[str, ...]:
        """The names of the classes, if there is one for each."""
        fit = self.network is not None and len(self.class_names) == self.network.classes
        return self.class_names if fit else ()


def _accepted(findings: Sequence[Finding], ignore: Sequence[str]) -> list[Finding]:
    """The findings, marked where the user accepts them, without repetition."""
    ids = selected(ignore)
    return [replace(finding, ignored=finding.rule in ids) for finding in dict.fromkeys(findings)]
