"""Writes docs/report.png: the top of the HTML report of a bundled backdoored model, in Debian's Chromium."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import typer
from playwright.sync_api import sync_playwright

from tools import ROOT

MODEL = "models/signs/badnet_torch.onnx"


def scan_to(report: Path) -> None:
    """Scan as a user would."""
    command = [sys.executable, "-m", "ninspect", "scan", MODEL, "--samples", "models/signs/samples"]
    code = subprocess.run([*command, "--format", f"html:{report}"], cwd=ROOT, check=False).returncode
    assert code == 1, "the model is no longer suspected"


def photograph(report: Path, picture: Path) -> None:
    """Everything above the table of classes, 1000 pixels wide."""
    chromium = shutil.which("chromium")
    assert chromium, "install chromium"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        page.goto(report.as_uri())
        end = page.locator("figure.chart").first.bounding_box()
        assert end is not None
        height = end["y"] + end["height"] + 8
        page.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": 1000, "height": height})
        browser.close()


def main() -> None:
    """Write docs/report.png.

    Example: python -m tools.pages.screenshot
    """
    with tempfile.TemporaryDirectory() as folder:
        scan_to(Path(folder) / "report.html")
        photograph(Path(folder) / "report.html", ROOT / "docs" / "report.png")


if __name__ == "__main__":
    typer.run(main)
