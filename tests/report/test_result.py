import html
import json
from typing import Any

import pytest
from pydantic import ValidationError

from ninspect.errors import UsageError
from ninspect.report import SCHEMA, Result
from ninspect.report.html import html_report
from ninspect.report.schema import ModelInfo
from tests.report.examples import example, stopped


@pytest.mark.parametrize("result", [example(), stopped("the file is empty")], ids=["complete", "stopped"])
def test_json_is_the_whole_result(result: Result) -> None:
    assert Result.model_validate_json(result.to_json()) == result
    assert json.loads(result.to_json())["schema"] == SCHEMA == "ninspect/result/1"


@pytest.mark.parametrize(("verdict", "code"), [("clean", 0), ("suspected", 1), ("inconclusive", 3)])
def test_every_verdict_has_its_exit_code(verdict: str, code: int) -> None:
    assert example(verdict=verdict).exit_code == code


@pytest.mark.parametrize(
    "change", [{"verdict": "innocent"}, {"schema": "ninspect/result/0"}, {"extra": 1}, {"targets": [10]}]
)
def test_what_the_schema_does_not_know_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        example(**change)


def test_json_is_ascii_whatever_the_names_are() -> None:
    hostile = "\x1b[31m 標識 \u202e \udcff.onnx"  # as Python reads a file name that is not UTF-8
    text = example(model=ModelInfo(path=hostile)).to_json()
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["model"]["path"] == hostile.replace("\udcff", r"\udcff")


def test_a_heatmap_is_a_picture_of_a_class_that_stands_out() -> None:
    result = example()
    assert result.attention is not None
    label = result.attention.heatmaps[0].label
    assert result.heatmap(label).size == (32, 32)
    with pytest.raises(UsageError, match=f"no heatmap of class 99; there are of: {label}"):
        result.heatmap(99)
    with pytest.raises(UsageError, match="of: none"):
        stopped("the file is empty").heatmap(0)


def test_a_notebook_shows_the_report_in_a_frame_where_nothing_runs() -> None:
    frame = example()._repr_html_()
    assert frame.startswith("<iframe sandbox ")
    assert html.unescape(frame.partition('srcdoc="')[2].rpartition('"')[0]) == html_report(example())
