"""The HTML report in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ninspect.report import Result, render
from tests.report.examples import example, stopped
from tests.report.test_formats import HOSTILE, RESULTS
from tests.report.test_html import large

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 375, "height": 800}}
SHOWN = {
    **RESULTS,
    "many classes": large(200, 10, 32),
    "long words": example(reason="x" * 3000, class_names=["y" * 300] * 10, command=["z" * 3000]),
    "stopped": stopped("the file is empty"),
}

# Opens a result; returns the page, and what it printed to the console or asked the network for.
Open = Callable[..., "tuple[Page, list[str]]"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        # Chromium refuses to confine itself when root runs it, as containers do.
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    contexts = []

    def open_(result: Result, **settings: Any) -> tuple[Page, list[str]]:
        file = tmp_path / "report.html"
        file.write_text(render(result, "html"), encoding="utf-8")
        contexts.append(browser.new_context(**settings))
        page, noise = contexts[-1].new_page(), []
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("dialog", lambda dialog: noise.append(dialog.message))
        page.on(
            "request", lambda request: noise.append(request.url) if request.url.partition(":")[0] != "data" else None
        )
        page.goto(file.as_uri())
        noise.remove(file.as_uri())
        return page, noise

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SHOWN)
def test_the_page_is_quiet_whole_and_fits(open_page: Open, name: str, size: str) -> None:
    page, noise = open_page(SHOWN[name], viewport=SIZES[size])
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert noise == []
    clipped = "all => all.filter(part => part.scrollWidth > part.clientWidth).length"
    if name == "clean":  # of plain words, nothing is cut off
        assert page.locator(".scroll:has(.checks)").evaluate_all(clipped) == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    broken = "all => all.filter(image => !(image.complete && image.naturalWidth > 0)).length"
    assert page.locator("img").evaluate_all(broken) == 0
    styled = page.locator("section.verdict").evaluate("part => getComputedStyle(part).borderLeftStyle")
    assert styled == "solid"  # else the policy does not fit the style


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_background(open_page: Open, scheme: Any) -> None:
    page, _ = open_page(example(), color_scheme=scheme)
    colours = page.evaluate(
        """() => [...document.querySelectorAll('h1, h2, p, dt, dd, td, th, figcaption')].map(part => {
            let behind = part;
            while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
            return [getComputedStyle(part).color, getComputedStyle(behind).backgroundColor];
        })"""
    )
    assert min(contrast(*pair) for pair in colours) >= 4.5  # WCAG 2.2, level AA


def contrast(*colours: str) -> float:
    """Of two colours `rgb(r, g, b)`, as WCAG defines it."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[4:-1].split(",")]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted(map(luminance, colours))
    return (high + 0.05) / (low + 0.05)


def test_hostile_names_stay_text(open_page: Open) -> None:
    page, noise = open_page(RESULTS["hostile"])
    assert noise == []
    assert page.locator("script, a, iframe").count() == 0
    text = page.locator("body").inner_text()
    assert "</td><script>alert(1)</script>" in text
    assert HOSTILE not in text


def test_a_screen_reader_finds_its_way(open_page: Open) -> None:
    page, _ = open_page(example())
    assert page.locator("h1").count() == 1
    for landmark in ("main", "region"):
        assert page.get_by_role(landmark).count() >= 1
    for region in page.get_by_role("region").all():
        assert region.evaluate("part => (part.ariaLabel || part.getAttribute('aria-labelledby') || '').length") > 0
    assert page.get_by_role("img", name="Bar chart of the index of 10 classes").count() == 1
    assert page.get_by_role("rowheader", name="7").count() == 2  # among those that stand out, and among all


def test_everything_that_can_be_opened_can_be_opened_with_the_keyboard(open_page: Open) -> None:
    page, _ = open_page(SHOWN["many classes"])
    assert not page.locator("details").evaluate("part => part.open")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    assert page.locator("details").evaluate("part => part.open")


def test_it_prints(open_page: Open) -> None:
    page, _ = open_page(example(), color_scheme="dark")
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_where_styles_and_pictures_are_forbidden_everything_is_still_said(open_page: Open, tmp_path: Path) -> None:
    source = render(example(), "html")
    start = source.index("default-src")
    strict = source[:start] + "style-src 'none'; img-src 'none'; " + source[start:]  # as Jenkins serves files
    (tmp_path / "strict.html").write_text(strict, encoding="utf-8")
    page, _ = open_page(example())
    page.goto((tmp_path / "strict.html").as_uri())
    assert page.locator("section.verdict").evaluate("part => getComputedStyle(part).borderLeftStyle") == "none"
    assert page.get_by_role("heading", name="Suspected").is_visible()
    bar = page.locator("rect").nth(7).bounding_box()
    assert bar is not None
    assert bar["height"] > 50
