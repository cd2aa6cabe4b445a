"""What a new model does that an old one does not, from a result of each."""

from __future__ import annotations

from dataclasses import dataclass

from ninspect.errors import ExitCode
from ninspect.report.schema import FindingInfo, Result
from ninspect.report.wording import REFERENCE


@dataclass(frozen=True)
class Difference:
    """A result of the new model, compared with the old one, beside a result of the old one alone.

    Attributes:
        old: of a scan of the old model, with the same images and options.
        new: of a scan of the new model that had the old one as a reference.
    """

    old: Result
    new: Result

    @property
    def suspicions(self) -> list[FindingInfo]:
        """What makes the new model suspected and was not said of the old one; of a class, for that class."""
        known = {(found.rule, *found.classes) for found in self.old.findings}
        suspected = {label for found in self.old.findings if found.effect == "suspected" for label in found.classes}
        return [
            found
            for found in self.new.findings
            if found.effect == "suspected"
            and (found.rule, *found.classes) not in known
            and not (found.classes and set(found.classes) <= suspected)
        ]

    @property
    def doubts(self) -> list[str]:
        """Why finding nothing new is no answer: the models could not be compared, or the new one not be judged."""
        known = {(found.rule, *found.classes) for found in self.old.findings}
        compared = [detector.gap for detector in self.new.detectors if detector.name == REFERENCE]
        gaps = [gap for gap in compared if gap] if compared else ["the new model was not compared with the old one"]
        open_ones = [
            found.message
            for found in self.new.findings
            if found.effect == "inconclusive" and (found.rule, *found.classes) not in known
        ]
        unread = [self.old.reason] if not self.old.detectors else []
        return [*unread, *gaps, *open_ones]

    @property
    def exit_code(self) -> ExitCode:
        """0: nothing new; 1: a new suspicion; 3: that cannot be told."""
        if self.suspicions:
            return ExitCode.SUSPECTED
        return ExitCode.INCONCLUSIVE if self.doubts else ExitCode.CLEAN

    @property
    def sentence(self) -> str:
        """The answer, without the full stop."""
        if found := self.suspicions:
            return f"new in {self.new.model.path}: {'; '.join(f'{one.message} ({one.rule})' for one in found)}"
        if doubts := self.doubts:
            return f"whether anything is new in {self.new.model.path} cannot be told: {'; '.join(doubts)}"
        also = ", and what is suspected of it was so before" if self.new.verdict == "suspected" else ""
        return f"nothing new was found in {self.new.model.path}{also}"
