"""Models that are scanned in a moment, for tests of what goes on around scans."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import backdoored_weights, even_weights, linear_model, random_pixels, save, save_images

SKIPPED = ["--no-evidence", "--skip", "every-class", "--skip", "one-source"]
FAST = ["--preset", "unit", "--method", "neuroninspect", *SKIPPED]


def make_folder(folder: Path) -> Path:
    """A backdoored model, two clean ones, and images."""
    (folder / "models" / "vendor").mkdir(parents=True)
    save(linear_model(backdoored_weights(4)), folder / "models" / "bad.onnx")
    save(linear_model(even_weights()), folder / "models" / "vendor" / "good.onnx")
    save(linear_model(even_weights(seed=1)), folder / "models" / "vendor" / "fine.onnx")
    save_images(folder / "images.npz", random_pixels(200, (12, 12, 1)))
    return folder


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def verdicts(text: str) -> dict[str, str]:
    return {Path(result["model"]["path"]).name: result["verdict"] for result in lines(text)}


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found
