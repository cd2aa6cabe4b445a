"""Every public object has an example, and every example in the package does what it shows."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import ninspect

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ninspect"
WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", ninspect.__all__)
def test_every_public_object_has_an_example(name: str) -> None:
    assert ">>> " in (getattr(ninspect, name).__doc__ or "")


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_do_what_they_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    failed, attempted = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert (failed, attempted > 0) == (0, True)
