"""ninspect audits ONNX image classifiers for trained-in backdoors.

>>> import ninspect
>>> result = ninspect.scan("models/digits/translucent_torch.onnx", "models/digits/samples")
>>> result.verdict, result.targets
('suspected', [5])
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# As soon as it is imported, ONNX Runtime else writes a device id and a record of its use below the home directory.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from ninspect.api import diff, gradients, open_network, repair, scan, screen
    from ninspect.detect import Activated, NeuronInspect
    from ninspect.errors import InconclusiveError, ModelError, NinspectError, UnsupportedOperatorError, UsageError
    from ninspect.gradient import differentiate
    from ninspect.model import Classifier, load_classifier
    from ninspect.preprocess import Preprocess
    from ninspect.report import Result
    from ninspect.report.repair import Repair
    from ninspect.report.screening import Screening
    from ninspect.requests import PreprocessOptions, ScanRequest
    from ninspect.runtime import Network
    from ninspect.samples import Samples, load_samples
    from ninspect.search.patch import Patch

_HOME = {
    "Activated": "detect",
    "Classifier": "model",
    "InconclusiveError": "errors",
    "ModelError": "errors",
    "Network": "runtime",
    "NeuronInspect": "detect",
    "NinspectError": "errors",
    "Preprocess": "preprocess",
    "Result": "report",
    "Samples": "samples",
    "Patch": "search.patch",
    "PreprocessOptions": "requests",
    "ScanRequest": "requests",
    "Repair": "report.repair",
    "Screening": "report.screening",
    "UnsupportedOperatorError": "errors",
    "UsageError": "errors",
    "diff": "api",
    "differentiate": "gradient",
    "gradients": "api",
    "load_classifier": "model",
    "load_samples": "samples",
    "open_network": "api",
    "repair": "api",
    "scan": "api",
    "screen": "api",
}

__all__ = [
    "Activated",
    "Classifier",
    "InconclusiveError",
    "ModelError",
    "Network",
    "NeuronInspect",
    "NinspectError",
    "Patch",
    "Preprocess",
    "PreprocessOptions",
    "Repair",
    "Result",
    "Samples",
    "ScanRequest",
    "Screening",
    "UnsupportedOperatorError",
    "UsageError",
    "diff",
    "differentiate",
    "gradients",
    "load_classifier",
    "load_samples",
    "open_network",
    "repair",
    "scan",
    "screen",
]


def __getattr__(name: str) -> Any:
    """Import on first use: `import ninspect` and `ninspect --help` stay instant."""
    if name == "__version__":
        return import_module("importlib.metadata").version("ninspect")
    if name not in _HOME:
        raise AttributeError(f"module 'ninspect' has no attribute '{name}'")
    return getattr(import_module(f"ninspect.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """What a notebook completes."""
    return [*__all__, "__version__"]
