import base64
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from ninspect.report import Result, render
from tests.report.examples import ATTENTION, BETWEEN, DETECTOR, PAIR, TRIGGER, clean, example, inconclusive, picture
from tests.report.test_formats import HOSTILE, RESULTS


class Page(HTMLParser):
    """Tags, attributes and text of a report."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.source = render(result, "html")
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def large(classes: int, pictured: int, side: int) -> Result:
    """A result of many classes with names, and as many pictures as there can be, of noise."""
    index = [i % 17 / 5 for i in range(classes)]
    columns = {name: [value + 0.123456 for value in index] for name in ("margin", "relative", "spot", "peak")}
    detector = DETECTOR.model_copy(update={"index": index, "p_values": [0.12345] * classes, "scores": columns})
    triggers = [
        TRIGGER.model_copy(
            update={"label": label, "mask": picture(1, side), "pattern": picture(2, side), "examples": examples}
        )
        for label in (7, 8, 9)
        for examples in [
            [TRIGGER.examples[0].model_copy(update={"before": picture(3, side), "after": picture(4, side)})] * 3
        ]
    ]
    heatmaps = [
        ATTENTION.heatmaps[0].model_copy(update={"label": i, "picture": picture(i, side)}) for i in range(pictured)
    ]
    return example(
        classes=classes,
        explained=list(range(classes)),
        class_names=[f"a class with quite a long name, number {i}" for i in range(classes)],
        detectors=[detector],
        triggers=triggers,
        attention=ATTENTION.model_copy(update={"heatmaps": heatmaps}),
    )


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_the_page_has_no_script_and_loads_nothing(result: Result) -> None:
    page = Page(result)
    assert not {"script", "iframe", "object", "embed", "form", "base", "a"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name != "style"
        if name in ("src", "href"):
            assert value.startswith("data:")
    policy = policy_of(page)
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    assert "unsafe" not in page.source


def policy_of(page: Page) -> dict[str, str]:
    content = next(value for name, value in page.attributes if name == "content" and value.startswith("default-src"))
    return dict(part.split(" ", 1) for part in content.split("; "))


def test_the_parts_come_in_the_order_of_the_questions() -> None:
    page = Page(example(class_names=[f"sign {i}" for i in range(10)], command=["ninspect", "scan", "a b.onnx"]))
    parts = [
        "Suspected",
        "Class 7 looks like",
        "Do not use the model",
        "What was asked",
        "nothing found",
        "What was found",
        "The smallest trigger found",
        "Compared with the other classes",
    ]
    parts += ["exceeds 5.86 with probability 0.01", "What was checked, and what was not", "Under which conditions"]
    parts += ["ab" * 32, "50 from images/", "ninspect scan 'a b.onnx'"]
    places = [page.text.index(part, page.text.index("Backdoor scan by")) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize(("name", "heading"), [("clean", "Clean"), ("inconclusive", "Inconclusive")])
def test_every_verdict_has_its_heading_and_what_is_not_known_is_left_out(name: str, heading: str) -> None:
    page = Page(RESULTS[name])
    assert re.search(rf"<h1[^>]*>\s*{heading}</h1>", page.source)
    assert ("Compared with the other classes" in page.text) == (name == "clean")
    assert "None" not in page.text


def test_a_class_that_the_evidence_decided_on_says_so() -> None:
    assert "more than 0.01, but the evidence is convincing" in Page(example(p_value=0.05)).text
    assert "suspected at 0.01 or less" in Page(example(p_value=0.005)).text


def test_the_oddest_classes_of_a_model_that_is_not_suspected_are_folded() -> None:
    quiet = TRIGGER.model_copy(update={"label": 2, "convincing": False})
    page = Page(clean(triggers=[quiet]))
    assert "What was found" not in page.text
    folded = page.source.partition("The oddest classes</h2>")[2].partition("</details>")[0]
    assert folded.lstrip().startswith("<details><summary>None of them is suspected")
    assert 'id="class-2"' in folded
    assert "What was found" in Page(example()).text
    assert "What was found" in Page(inconclusive(BETWEEN, pairs=[PAIR])).text


def test_high_confidence_beside_a_large_p_says_why() -> None:
    assert "the evidence decides; statistics alone would not suspect it" in Page(example(p_value=0.05)).text
    assert "the evidence agrees with the statistics" in Page(example(p_value=0.005)).text


def test_a_trigger_from_one_class_to_another_has_a_part_of_its_own() -> None:
    page = Page(inconclusive(BETWEEN, triggers=[TRIGGER], pairs=[PAIR]))
    assert "from images of class 3" in " ".join(page.text.split())
    assert {"class-7", "class-3-to-7"} <= {value for name, value in page.attributes if name == "id"}


def test_every_picture_has_a_text_and_the_data_that_the_result_has() -> None:
    page = Page(example())
    assert page.tags.count("img") == sum(name == "alt" and len(value) > 5 for name, value in page.attributes)
    embedded = {value.partition(",")[2] for name, value in page.attributes if value.startswith("data:image/png")}
    expected = {TRIGGER.mask, TRIGGER.pattern, TRIGGER.examples[0].before, TRIGGER.examples[0].after, ATTENTION.image}
    assert embedded == expected | {heatmap.picture for heatmap in ATTENTION.heatmaps}
    for data in embedded:
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")


def test_names_from_outside_are_text_and_what_hides_in_them_is_visible() -> None:
    page = Page(RESULTS["hostile"])
    assert page.text.count("</td><script>alert(1)</script>") > 10
    assert "\\u202e" in page.text
    assert "octocat" in page.text
    assert HOSTILE not in page.text


def bars(page: Page) -> list[dict[str, Any]]:
    found = []
    for tag in re.findall(r"<rect [^>]*>", page.source):
        values = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        found.append(values | {name: float(values[name].rstrip("%")) for name in ("x", "y", "width", "height")})
    return found


def test_the_chart_shows_every_class_against_the_critical_line() -> None:
    page = Page(example())
    drawn = bars(page)
    assert len(drawn) == 10
    assert [bar["class"] == "suspect" for bar in drawn] == [i == 7 for i in range(10)]
    assert drawn[7]["height"] == max(bar["height"] for bar in drawn)
    assert drawn[3]["height"] == 0
    assert all(bar["x"] >= 0 and bar["x"] + bar["width"] <= 100 for bar in drawn)
    critical = re.search(r'<line class="critical"[^>]* y1="([\d.]+)"', page.source)
    assert critical is not None
    above = [bar["y"] < float(critical[1]) for bar in drawn]
    assert above == [value is not None and value > 5.86 for value in DETECTOR.index]
    untested = DETECTOR.model_copy(update={"critical_index": None})
    assert '<line class="critical"' not in Page(example(detectors=[untested])).source


@pytest.mark.parametrize("side", [64, 112])
@pytest.mark.parametrize(("classes", "limit"), [(43, 1_000_000), (1000, 2_000_000)])
def test_a_report_stays_small_even_where_pictures_are_noise(classes: int, limit: int, side: int) -> None:
    page = Page(large(classes, 10, side))
    assert len(page.source.encode()) <= limit
    assert page.source.count("<rect ") == classes
    assert page.tags.count("img") == 1 + 10 + 3 * (1 + 2 + 6)
