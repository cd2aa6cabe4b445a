from pathlib import Path
from typing import Any, get_args

from ninspect import jobs
from ninspect.detect.registry import chosen
from ninspect.isolation import Listener
from ninspect.names import METHODS, Preset
from ninspect.preprocess.settings import PRESETS
from ninspect.requests import PreprocessOptions, ScanRequest
from tests.support import even_weights, linear_scan_files


def test_every_name_that_can_be_chosen_stands_for_something() -> None:
    assert [detector.name for detector in chosen(ScanRequest(Path("m.onnx"), methods=METHODS))] == [*METHODS]
    assert tuple(PRESETS) == get_args(Preset)


def test_a_method_that_is_named_twice_is_used_once() -> None:
    twice = ScanRequest(Path("m.onnx"), methods=("mmbd", "weights", "mmbd"))
    assert [detector.name for detector in chosen(twice)] == ["mmbd", "weights"]


def test_a_request_from_python_gives_names_as_they_are_and_hears_how_it_goes(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights())
    names = tuple(f"sign {number}" for number in range(10))
    request = ScanRequest(
        model,
        images,
        preprocess=PreprocessOptions(preset="unit"),
        class_names=names,
        methods=("weights",),
        evidence=False,
        device="cpu",
    )
    news: list[tuple[str, Any]] = []
    answer = jobs.run(request, Listener(lambda kind, value: news.append((kind, value))))
    assert answer["class_names"] == [*names]
    assert answer["preprocess"]["source"] == "from the options (preset unit)"
    assert {"log", "partial"} <= {kind for kind, _ in news}
    assert ("log", "weights: begins") in news
