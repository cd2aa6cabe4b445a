"""Repairs from end to end: as processes, on bundled models, with the triggers that were trained into them."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest

from ninspect import Patch, open_network
from ninspect.errors import UsageError
from ninspect.remedy.goals import goals_of
from ninspect.report import Result
from ninspect.report.repair import Repair, render, report_format
from ninspect.samples import load_samples
from tests.support import ninspect

MODEL, SAMPLES = "models/digits/translucent_torch.onnx", "models/digits/samples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repair")


@pytest.fixture(scope="module")
def repaired(folder: Path) -> Repair:
    """A scan, a repair and a scan again, with all that they write."""
    report = folder / "report.html"
    done = ninspect(
        *("repair", MODEL, "--samples", SAMPLES, "-o", folder / "out.onnx", "--report", report),
        *("--format", "json", "--skip", "one-source", "--quiet"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    return Repair.from_json(done.stdout)


def test_the_trained_trigger_works_no_more_and_all_else_does(repaired: Repair, folder: Path) -> None:
    card = tomllib.loads(Path(MODEL).with_suffix(".toml").read_text())
    trigger = card["trigger"]
    samples = load_samples(Path(SAMPLES), image_shape=(28, 28, 1), limit=1000)
    (height, width), (row, column) = trigger["size"], trigger["position"]
    mask = np.zeros((28, 28), np.float32)
    mask[row : row + height, column : column + width] = trigger["alpha"]
    patch = Patch(mask, np.ones((28, 28, 1), np.float32))
    others = samples.labels != card["target"]
    success, right = [], []
    for path in (Path(MODEL), folder / "out.onnx"):
        network = open_network(path, preset="unit")
        success.append(np.mean(network.logits(patch.stamp(samples.unit_pixels[others])).argmax(1) == card["target"]))
        right.append(np.mean(network.logits(samples.unit_pixels).argmax(1) == samples.labels))
    assert success[0] > 0.9
    assert success[1] < 0.1
    assert right[1] > right[0] - 0.03


def test_it_proves_itself(repaired: Repair, folder: Path) -> None:
    assert repaired.before.verdict == "suspected"
    assert repaired.after is not None
    assert repaired.after.verdict == "clean"
    assert repaired.after.model.path == repaired.written == str(folder / "out.onnx")
    before, after = repaired.proof.success
    assert before > 0.9
    assert after < 0.1
    assert {one.found for one in repaired.proof.triggers} == {"by the scan", "by the repair"}
    assert sum(one.chosen for one in repaired.proof.candidates) == 1
    page = (folder / "report.html").read_text()
    assert "Repaired" in page
    assert "<script" not in page


def test_the_file_says_what_was_done_and_keeps_its_outputs(repaired: Repair, folder: Path) -> None:
    model, original = onnx.load(folder / "out.onnx"), onnx.load(Path(MODEL))
    onnx.checker.check_model(model)
    told = json.loads({entry.key: entry.value for entry in model.metadata_props}["ninspect.repair"])
    assert told["method"] == repaired.proof.method
    assert [value.name for value in model.graph.output] == [value.name for value in original.graph.output]
    assert [value.name for value in model.graph.input] == [value.name for value in original.graph.input]


def test_what_is_of_another_model_is_refused_and_nothing_is_left_behind(repaired: Repair, folder: Path) -> None:
    saved = folder / "other.json"
    saved.write_text(repaired.before.to_json())
    other = folder / "other"
    other.mkdir()
    model = "models/digits/clean_torch.onnx"
    done = ninspect("repair", model, "--result", saved, "-s", SAMPLES, "-o", other / "out.onnx", "-q")
    assert done.returncode == 2
    assert "is the result of another model" in done.stderr
    assert list(other.iterdir()) == []


def test_a_result_without_suspects_has_nothing_to_repair(repaired: Repair, folder: Path) -> None:
    assert repaired.after is not None
    saved = folder / "clean.json"
    saved.write_text(repaired.after.to_json())
    done = ninspect("repair", folder / "out.onnx", "--result", saved, "-o", folder / "twice.onnx", "-q")
    assert done.returncode == 3
    assert "suspects no class" in done.stderr
    assert not (folder / "twice.onnx").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give them with --samples"),
        (("-s", SAMPLES, "--report", "report.pdf"), "says no format of a report"),
        (("-s", SAMPLES, "--max-drop", "2"), "max-drop"),
        (("-s", SAMPLES, "--result", "missing.json"), "missing.json cannot be read"),
    ],
)
def test_what_cannot_be_is_said_before_the_work(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = ninspect("repair", MODEL, *options, "-o", tmp_path / "out.onnx")
    assert done.returncode == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_goals_are_what_findings_accuse(repaired: Repair) -> None:
    (goal,) = goals_of(repaired.before)
    assert goal.name == "any image to class 5"
    assert goal.wanted.tolist() == [5] * 10
    assert [one.name for one in goals_of(repaired.before, [2, 3])] == ["any image to class 2", "any image to class 3"]
    with pytest.raises(UsageError, match="class 11 is out of range"):
        goals_of(repaired.before, [11])


def test_a_report_has_the_format_of_its_ending() -> None:
    assert [report_format(Path(name)) for name in ("a.json", "b.HTML", "c.txt")] == ["json", "html", "text"]


def test_a_permutation_sends_each_class_to_its_own(repaired: Repair) -> None:
    facts = repaired.before.facts()
    for finding in facts["findings"]:
        if finding["rule"] == "BD001":
            finding["rule"] = "BD002"
    for detector in facts["detectors"]:
        if detector["name"] == "all-to-all":
            detector["scores"]["from"] = [9, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    (goal,) = goals_of(Result.model_validate(facts))
    assert goal.wanted.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_the_worked_example_looks_as_it_is_shown(repaired: Repair) -> None:
    (shown,) = re.findall(
        r"^```text\n\$ [^\n]+\n(.*?)^```$", Path("docs/repair.md").read_text(), re.DOTALL | re.MULTILINE
    )

    def plain(text: str) -> list[str]:
        """Without the path of the file and what differs between processors: digits, and which of equal ways."""
        lines = (line for line in text.splitlines()[1:] if not line.strip().startswith("Method:"))
        return [" ".join(re.sub(r"[\d.]+", "#", line).split()) for line in lines]

    assert plain(render(repaired, "text")) == plain(shown)
