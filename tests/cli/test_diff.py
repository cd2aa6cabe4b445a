"""The exit codes of `ninspect diff`, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import CommandLine
from tests.support import backdoored_weights, even_weights, linear_model, random_pixels, save

QUICK = ("--samples", "images.npy", "--method", "neuroninspect", "--no-evidence", "--preset", "unit")


@pytest.fixture
def folder(tmp_path: Path, command_line: CommandLine) -> CommandLine:
    """A folder with a clean model, a second one that is nearly the same, two that are suspected, and images."""
    clean, suspect = even_weights(), backdoored_weights(7)
    for name, weights in {
        "old": clean,
        "new": clean * 1.01,
        "suspect": suspect,
        "also": suspect * 1.01,
        "nine": even_weights(classes=9),
    }.items():
        save(linear_model(weights), tmp_path / f"{name}.onnx")
    np.save(tmp_path / "images.npy", np.rint(random_pixels(200, (12, 12, 1)) * 255).astype(np.uint8))
    return command_line


def test_an_update_that_does_the_same_has_nothing_new(folder: CommandLine) -> None:
    code, out, err = folder("diff", "old.onnx", "new.onnx", *QUICK, "--skip", "every-class")
    assert (code, out.splitlines()[0]) == (0, "CLEAN  new.onnx")
    assert "nothing new was found in new.onnx" in err
    assert "Reference old.onnx gives 100.0% of the images the same answer" in " ".join(out.split())


def test_a_class_that_only_the_new_model_is_suspected_of_is_new(folder: CommandLine) -> None:
    code, _, err = folder("diff", "old.onnx", "suspect.onnx", *QUICK)
    assert (code, "new in suspect.onnx: class 7 looks like the target of a backdoor" in err) == (1, True)


def test_what_was_suspected_before_is_not_new(folder: CommandLine) -> None:
    code, out, err = folder("diff", "suspect.onnx", "also.onnx", *QUICK, "--skip", "every-class")
    assert (code, out.splitlines()[0]) == (0, "SUSPECTED  also.onnx")
    assert "what is suspected of it was so before" in err


def test_models_that_cannot_be_compared_have_no_answer(folder: CommandLine, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.rint(random_pixels(12, (12, 12, 1)) * 255).astype(np.uint8))
    code, _, err = folder("diff", "old.onnx", "new.onnx", *QUICK, "--skip", "every-class", "--quiet")
    assert (code, err) == (3, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("diff", "old.onnx", "new.onnx"), "diff compares what two models do on the same images"),
        (("scan", "old.onnx", "--reference", "new.onnx"), "--reference compares what two models do on the same images"),
        (("diff", "old.onnx", "old.onnx", *QUICK), "the reference old.onnx has the same content as old.onnx"),
        (("diff", "nine.onnx", "old.onnx", *QUICK), "the reference nine.onnx has 9 classes and the model 10"),
        (("diff", "old.onnx", "absent.onnx", *QUICK), "there is no file absent.onnx"),
        (
            ("scan", "old.onnx", "-s", "images.npy", "--reference-preprocess", "a.toml"),
            "--reference-preprocess was given 1 for 0 references",
        ),
    ],
    ids=["no images", "no images for a scan", "the same file", "other classes", "absent", "no reference"],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(
    folder: CommandLine, arguments: tuple[str, ...], sentence: str
) -> None:
    code, out, err = folder(*arguments)
    assert (code, out, sentence in err, "Traceback" in err) == (2, "", True, False)
