"""What the documents tell people to type exists, and the examples do what is shown."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support import ninspect

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "models" / "README.md"]
COMMAND = re.compile(r"(?:^ {4}|^\$ |`|^Example: )(ninspect [a-z][^`#\n]*)", re.MULTILINE)


def commands(page: Path) -> list[str]:
    return [command.strip() for command in COMMAND.findall(page.read_text(encoding="utf-8"))]


def test_every_command_and_option_in_the_documents_exists() -> None:
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"## `ninspect (\w+)`\n(.*?)(?=\n## |\Z)", reference, re.DOTALL))
    seen = 0
    for page in PAGES:
        for command in commands(page):
            name = command.split()[1]
            assert name in sections, f"{page.name}: {command}"
            for option in re.findall(r"(?<=[\s\[])--[a-z-]+", command):
                assert f"`{option}" in sections[name] or f" {option}" in sections[name], f"{page.name}: {command}"
            seen += 1
    assert seen > 10


def complete_commands() -> list[str]:
    """All that can be typed, once: neither the usage lines of the reference nor bare names of commands."""
    found = dict.fromkeys(re.sub(r"[\[\]]", "", command) for page in PAGES for command in commands(page))
    alone = {"selftest", "doctor", "operators", "rules"}
    return [c for c in found if "OPTIONS" not in c and (len(c.split()) > 2 or c.split()[1] in alone)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the documents' commands name."""
    folder, signs = tmp_path_factory.mktemp("desk"), ROOT / "models" / "signs"
    shutil.copytree(signs, folder / "models" / "signs")
    for name in ("MODEL", "MODEL.onnx", "model.onnx"):
        shutil.copy(signs / "clean_torch.onnx", folder / name)
    for name in ("IMAGES", "images"):
        shutil.copytree(signs / "samples", folder / name)
    for name in ("PICTURE.png", "stop.png"):
        shutil.copy(next((signs / "samples").glob("*/*.png")), folder / name)
    for name in ("RESULT.json", "result.json"):
        ninspect("scan", "model.onnx", "--classes", "0,1", "--format", "json", "-o", name, cwd=folder)
    return folder


@pytest.mark.parametrize("command", complete_commands())
def test_every_command_in_the_documents_runs(desk: Path, command: str) -> None:
    stand_ins = {"FORMAT": "html", "K": "5"}
    words = [stand_ins.get(word, word) for word in shlex.split(command)[1:]]
    done = ninspect(*words, cwd=desk)
    assert done.returncode in (0, 1, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout or "-o" in words or "html:report.html" in words


@pytest.mark.parametrize(
    "command",
    [c for c in commands(ROOT / "README.md") if "models/" in c],
    ids=lambda command: command.split("/")[2][:12],
)
def test_the_examples_of_the_readme_say_what_is_shown(tmp_path: Path, command: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "models" / "signs", tmp_path / "models" / "signs")
    done = ninspect(*shlex.split(command)[1:], cwd=tmp_path)
    assert done.stderr == "" or done.stderr.startswith("ninspect: ")
    if "html:" in command:
        assert (tmp_path / "report.html").stat().st_size > 10_000
    else:
        headline = done.stdout.splitlines()[0]
        assert headline in text
        assert done.returncode == (1 if headline.startswith("SUSPECTED") else 0)
