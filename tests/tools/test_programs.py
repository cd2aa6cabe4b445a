"""The programs of tools/ start, and what is written about them leads to files that exist."""

import importlib.util
import re
import runpy
import sys
from pathlib import Path

import pytest

from tools import ROOT

PROGRAMS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / "tools").rglob("*.py"))
    if "typer.run(main)" in path.read_text(encoding="utf-8")
}
NEEDS = {"tools.fuzz": "atheris", "tools.pages.screenshot": "playwright"}
PAGES = [
    ROOT / "Makefile",
    ROOT / "README.md",
    ROOT / "pyproject.toml",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "models").glob("*/*.toml")),
    ROOT / "models" / "README.md",
    ROOT / "tools" / "README.md",
]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_says_how_it_is_run(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    monkeypatch.setattr(sys, "argv", [str(PROGRAMS[name]), "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(name, run_name="__main__")
    assert end.value.code == 0
    assert f"Example: python -m {name}" in " ".join(capsys.readouterr().out.split())


def test_the_readme_lists_every_program_and_no_other() -> None:
    text = (ROOT / "tools" / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"`python -m (tools[.\w]+)`", text)) == sorted(PROGRAMS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_tool_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?<!\w)tools(?:[./]\w+)+", text):
        path = ROOT / (name if "/" in name else name.replace(".", "/"))
        assert path.exists() or path.with_suffix(".py").exists(), f"{page.name}: {name}"
