"""Neural Cleanse: the class that the smallest trigger leads to (IEEE S&P 2019). The baseline."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from ninspect.detect.case import Case
from ninspect.detect.examination import Examination, judge
from ninspect.detect.interface import Detector
from ninspect.measure.outliers import anomaly_index
from ninspect.names import Question
from ninspect.search.inversion import Inversion, invert, success

# The authors' code makes 1000 images in mini-batches of 32 one step. It takes about twelve times as long as one
# mini-batch a step, and finds nearly the same masks (docs/performance.md).
AS_PUBLISHED = Inversion(batches=31)


@dataclass(frozen=True)
class NeuralCleanse(Detector):
    """index(c) = (median − ‖m_c‖₁) / (1.4826 · MAD): a backdoor's trigger is smaller than what any other class needs.

    Source: Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao, "Neural Cleanse", IEEE S&P 2019; `inversion` has the formulas.
    One of its steps was a pass over 1000 images, see `AS_PUBLISHED`; here it is one mini-batch.

    Attributes:
        inversion: how the triggers are searched.
    """

    name: ClassVar[str] = "neural_cleanse"
    answers: ClassVar[frozenset[Question]] = frozenset(["one-target"])

    inversion: Inversion = field(default_factory=Inversion)

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the search."""
        return asdict(self.inversion)

    def examine(self, case: Case) -> Examination:
        """Search the smallest trigger of every class and compare their sizes."""
        images, classes, settings = case.clean(), case.classes, self.inversion
        total = len(classes) * settings.starts * min(settings.batch, len(images)) * settings.batches * settings.steps
        found = invert(case.network, images, classes, settings, case.seed, case.counter(total))
        case.progress(total, total)
        columns = {"mask": found.norms, "success": success(case.network, images, case.answers, classes, found)}
        return judge(self.name, classes, columns, anomaly_index(found.norms))
