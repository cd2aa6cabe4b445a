"""Results of several models in one document."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import jsonschema
import pytest

from ninspect.report import Result
from ninspect.report.summary import Row, render_summary, with_pages, worst_first
from tests.report.examples import example, stopped
from tests.report.test_browser import browser  # noqa: F401  a fixture
from tests.report.test_formats import HOSTILE
from tests.report.test_sarif import SCHEMA

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def kept(folder: Path, *results: Result) -> list[Row]:
    rows = []
    for number, result in enumerate(results):
        saved = folder / f"{number}.json"
        saved.write_text(result.to_json())
        rows.append(Row.of(result, saved))
    return worst_first(rows)


def moved(result: Result, path: str) -> Result:
    return result.model_copy(update={"model": result.model.model_copy(update={"path": path})})


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    return kept(tmp_path, moved(stopped("the file is empty"), "z/empty.onnx"), moved(example(), "b/signs.onnx"))


def test_the_worst_come_first_and_hold_no_pictures(rows: list[Row]) -> None:
    assert [(row.verdict, row.path) for row in rows] == [
        ("suspected", "b/signs.onnx"),
        ("inconclusive", "z/empty.onnx"),
    ]
    assert len(repr(rows)) < 3000
    assert rows[0].result().triggers == example().triggers


def test_json_is_a_line_for_each_result_with_the_path_of_the_row(rows: list[Row]) -> None:
    lines = "".join(render_summary(rows, "json")).splitlines()
    assert [Result.from_json(line).model.path for line in lines] == ["b/signs.onnx", "z/empty.onnx"]


def test_sarif_is_one_run_whose_results_point_to_their_files(rows: list[Row]) -> None:
    log = json.loads("".join(render_summary(rows, "sarif")))
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    paths = [artifact["location"]["uri"] for artifact in run["artifacts"]]
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert paths[place["index"]] == place["uri"]
    assert {"b/signs.onnx", "z/empty.onnx"} <= {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]
    }
    assert [model["verdict"] for model in run["properties"]["models"]] == ["suspected", "inconclusive"]


def test_junit_has_a_case_a_model(rows: list[Row]) -> None:
    (suite,) = ElementTree.fromstring("".join(render_summary(rows, "junit")))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "1")
    assert [case.get("classname") for case in suite] == ["b/signs.onnx", "z/empty.onnx"]


def test_models_that_stand_out_among_many_are_named_at_a_rate_of_false_ones(tmp_path: Path) -> None:
    p_values = [0.001, 0.02, 0.5, 0.9, None]
    results = [moved(example(p_value=p), f"{number}.onnx") for number, p in enumerate(p_values)]
    rows = kept(tmp_path, *results)
    assert [row.q_value for row in rows] == [0.004, 0.04, pytest.approx(2 / 3), 0.9, None]
    for format_ in ("text", "markdown", "html"):
        text = " ".join("".join(render_summary(rows, format_, 0.05)).split())
        assert "2 models have q ≤ 0.05 (0.onnx, 1.onnx); of models chosen so, 5% or fewer are expected" in text
        assert "q ≤" not in "".join(render_summary(rows, format_))
    assert "no model has q ≤ 0.001" in "".join(render_summary(rows, "text", 0.001))


def test_markdown_and_text_name_every_model_and_why(rows: list[Row]) -> None:
    for format_ in ("markdown", "text"):
        text = "".join(render_summary(rows, format_))
        assert "2 models: 1 suspected, 1 inconclusive" in text
        assert "the file is empty" in text.lower().replace("\n", " ")


@pytest.mark.parametrize("format_", ["text", "markdown", "html", "junit"])
def test_a_hostile_name_steers_nothing(tmp_path: Path, format_: str) -> None:
    text = "".join(render_summary(kept(tmp_path, moved(example(), HOSTILE), stopped("x")), format_))
    assert "\x1b" not in text
    assert "<script" not in text or format_ in ("text", "markdown")


def test_the_page_is_sorted_and_filtered_without_scripts_and_leads_to_every_report(
    browser: "Browser",  # noqa: F811
    tmp_path: Path,
    rows: list[Row],
) -> None:
    index = tmp_path / "all models.html"
    index.write_text("".join(render_summary(with_pages(rows, index), "html")))
    noise: list[str] = []
    page = browser.new_context(java_script_enabled=False).new_page()
    page.on("console", lambda message: noise.append(message.text))
    page.goto(index.as_uri())

    def shown() -> list[str]:
        return [cell.inner_text() for cell in page.locator("tbody th a").all() if cell.is_visible()]

    assert shown() == ["b/signs.onnx", "z/empty.onnx"]
    page.get_by_label("seconds").check()
    assert shown() == [row.path for row in sorted(rows, key=lambda row: -row.seconds)]
    page.get_by_label("suspected").uncheck()
    assert shown() == ["z/empty.onnx"]
    page.get_by_role("link", name="z/empty.onnx").click()
    assert "inconclusive" in page.title()
    assert noise == []


def test_what_stands_out_in_one_model_and_not_in_its_siblings_is_said(tmp_path: Path) -> None:
    def sibling(number: int) -> Result:
        result = moved(example(), f"{number}.onnx")
        first, *others = result.detectors
        odd = [(index or 0.0) + 40 * (number == 3 and place == 2) for place, index in enumerate(first.index)]
        return result.model_copy(update={"detectors": [first.model_copy(update={"index": odd}), *others]})

    same = example().model.model_copy(update={"architecture": "a"})
    results = [sibling(number) for number in range(6)]
    alike = [
        result.model_copy(update={"model": same.model_copy(update={"path": result.model.path})}) for result in results
    ]
    label = example().explained[2]
    for format_ in ("text", "markdown", "html"):
        text = " ".join("".join(render_summary(kept(tmp_path, *alike), format_)).split())
        assert text.count("stands out from the same class of 5 models of its kind") == 1 + 3 * (format_ == "html")
        assert f"Class {label} " in text
        assert "of its kind" not in "".join(render_summary(kept(tmp_path, *alike[:4]), format_))  # too few
        assert "of its kind" not in "".join(render_summary(kept(tmp_path, *results), format_))  # not known to be alike
