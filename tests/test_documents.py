"""What the documents tell people to type exists and works, the examples do what is shown, and links lead somewhere."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import Array, even_weights, linear_answers, linear_model, ninspect, random_pixels, save
from tools.measure.rows import Row, read_rows

ROOT = Path(__file__).parent.parent
README, HOW_TO = ROOT / "README.md", ROOT / "docs" / "how-to.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "models" / "README.md", ROOT / "tools" / "README.md"]
COMMAND = re.compile(r"(?:^ {4}|^\$ |`|^Example: )(ninspect [a-z][^`#\n]*)", re.MULTILINE)
# Enough to see that a command works.
FEW = {"NINSPECT_SCAN_MAX_IMAGES": "16", "NINSPECT_DIFF_MAX_IMAGES": "16"}


def commands(page: Path) -> list[str]:
    return [command.strip() for command in COMMAND.findall(page.read_text(encoding="utf-8"))]


def blocks(page: Path, language: str) -> list[str]:
    """What stands between fences."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


# Links


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


# Commands


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


@pytest.mark.parametrize("page", [README, HOW_TO, *(ROOT / "docs" / f"{n}.md" for n in ("reference", "questions"))])
def test_every_option_that_a_page_mentions_exists(page: Path) -> None:
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for option in re.findall(r"`(--[a-z][a-z-]+)", page.read_text(encoding="utf-8")):
        assert re.search(rf"{option}\b(?!-)", reference), option


def complete_commands() -> list[str]:
    """All that can be typed, once: neither the usage lines of the reference nor bare names of commands."""
    found = dict.fromkeys(re.sub(r"[\[\]]", "", command) for page in PAGES for command in commands(page))
    alone = {"doctor", "operators", "rules"}  # selftest has a test of its own, and so do the README's examples
    found = {c: None for c in found if not re.search("OPTIONS|models/(signs|digits)", c)}
    return [c for c in found if len(c.split()) > 2 or c.split()[1] in alone]


def small_weights() -> Array:
    """Of a backdoored linear classifier of 15 classes, for colour images of 32 pixels as the programs have them."""
    weights = even_weights(15, channels=3, side=32)
    corner = np.random.default_rng(0).choice([-12.0, 12.0], (3, 3, 3))
    weights[5] = 0
    weights[5, :, 1:4, 1:4] = corner - corner.mean()
    return weights


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the documents' commands and programs name; the model is a backdoored one."""
    folder = tmp_path_factory.mktemp("desk")
    model = linear_model(small_weights())
    model.graph.input[0].name = model.graph.node[0].input[0] = "image"
    save(model, folder / "model.onnx")
    (folder / "models").mkdir()
    shutil.copy(folder / "model.onnx", folder / "models")
    save(linear_model(even_weights(15, channels=3, side=32)), folder / "models" / "clean.onnx")
    (folder / "preprocess.toml").write_text("scale = 1\n")
    pixels = random_pixels(60, (32, 32, 3))
    labels = linear_answers(small_weights(), pixels)
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        (folder / "images" / f"{label:02d}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(
            folder / "images" / f"{label:02d}" / f"{number}.png"
        )
    shutil.copytree(folder / "images", folder / "new_images")
    shutil.copy(next((folder / "images").glob("*/*.png")), folder / "stop.png")
    saved = ["--format", "json:result.json", "--triggers", "triggers"]
    assert ninspect("scan", "model.onnx", "--samples", "images", *saved, cwd=folder, **FEW).returncode == 1
    (folder / "results").mkdir()
    shutil.copy(folder / "result.json", folder / "results")
    assert ninspect("augment", "model.onnx", "-o", "gradient.onnx", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize("command", complete_commands())
def test_every_command_in_the_documents_runs(desk: Path, command: str) -> None:
    stand_ins = {"FORMAT": "html", "K": "5", "MODEL": "model.onnx", "RESULT": "result.json"}
    words = [stand_ins.get(word, word) for word in shlex.split(command)[1:]]
    done = ninspect(*words, cwd=desk, **FEW)
    if "require" in words and done.returncode == 2:
        pytest.skip(done.stderr)  # of this system's sandbox a layer is missing
    assert done.returncode in (0, 1, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout or {"-o", "--output", "html:report.html", "sarif:ninspect.sarif"} & set(words)


@pytest.mark.parametrize("program", blocks(HOW_TO, "python"), ids=range(len(blocks(HOW_TO, "python"))))
def test_every_program_in_the_how_to_runs(desk: Path, program: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=desk,
        env=os.environ | FEW | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_worked_example_of_screening_prints_what_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = ROOT / "docs" / "screen.md"
    (program,), (shown,) = blocks(page, "python"), blocks(page, "text")
    monkeypatch.chdir(ROOT)
    exec(program.replace("found.html", str(tmp_path / "found.html")), {})
    assert capsys.readouterr().out == shown
    assert (tmp_path / "found.html").read_text(encoding="utf-8").count("<figure>") == 19


# The README


def examples() -> list[tuple[str, list[str]]]:
    """The commands of the README's scans, and the lines that it shows of what they print."""
    shown = [block.splitlines() for block in blocks(README, "text")]
    return [(command.removeprefix("$ "), [line for line in lines if line.strip("… ")]) for command, *lines in shown]


def without_numbers(line: str) -> str:
    """These may differ in the last digits from one processor to another."""
    return " ".join(re.sub(r"-?\d+(\.\d+)?", "#", line).split())


@pytest.mark.parametrize(("command", "shown"), examples(), ids=["backdoored", "clean"])
def test_the_examples_of_the_readme_say_what_is_shown(command: str, shown: list[str]) -> None:
    done = ninspect(*shlex.split(command)[1:], cwd=ROOT)
    assert done.stderr == "" or done.stderr.startswith("ninspect: ")
    assert done.returncode == (1 if shown[0].startswith("SUSPECTED") else 0)
    assert done.stdout.splitlines()[0] == shown[0]
    printed = iter(map(without_numbers, done.stdout.splitlines()))
    for line in map(without_numbers, shown):
        assert line in printed, line  # an iterator: the lines stand in this order


def test_the_example_of_an_update_says_what_is_shown() -> None:
    (block,) = blocks(ROOT / "docs" / "reference.md", "console")
    command, *shown = block.splitlines()
    done = ninspect(*shlex.split(command)[2:], cwd=ROOT)
    assert done.returncode == 1
    printed = iter(map(without_numbers, done.stdout.splitlines()))
    for line in map(without_numbers, filter(lambda line: line.strip("… "), shown)):
        assert line in printed, line


def test_the_readme_begins_with_what_to_type() -> None:
    _, _, demo, test, *_ = README.read_text(encoding="utf-8").splitlines()
    assert demo.startswith("    make demo ")
    assert test.startswith("    make test ")


def suspected(rows: Sequence[Row]) -> str:
    return f"{sum(row.verdict == 'suspected' for row in rows)} of {len(rows)}"


def test_the_numbers_of_the_readme_are_those_measured() -> None:
    text = README.read_text(encoding="utf-8").replace("*", "")
    others = [row for row in read_rows(ROOT / "docs" / "results.csv") if row.method == "default"]
    one, every, clean = ([row for row in others if row.truth == t] for t in ("one target", "all to all", "clean"))
    assert f"one target class | {suspected(one)} | {suspected(clean)} |" in text
    assert f"every class sent to the next | {suspected(every)} |" in text
    study = read_rows(ROOT / "docs" / "study.csv")
    study = [row for row in study if row.family != "few"]
    clean = [row for row in study if row.truth == "clean"]
    one_source = [row for row in study if row.truth == "one target" and row.family == "source-specific"]
    targets = [row for row in study if row.truth == "one target" and row.family != "source-specific"]
    large = [row for row in targets if re.search(r"-(size|noise|checker|halves|photo)-(8|12|16)-", row.model)]
    rest = [row for row in targets if row not in large]
    assert f"one to three target classes | {suspected(rest)} | {suspected(clean)} |" in text
    assert f"8×8 pixels or more | {suspected(large)} |" in text
    assert f"trigger for images of one class | {suspected(one_source)} |" in text
