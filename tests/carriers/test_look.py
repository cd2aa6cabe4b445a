"""From a result and a folder to the pictures that carry the trigger; also when the work is stopped on the way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ninspect
from ninspect import InconclusiveError, Screening, UsageError
from ninspect.carriers import look
from ninspect.errors import ExitCode
from ninspect.progress import Silent
from ninspect.report.screening import render_screening
from ninspect.requests import ScreenRequest
from ninspect.samples import load_samples
from ninspect.screening import State, perform_screen
from tests.carriers.files import PATCH, TARGET, pictures, result_of, screening_files
from tests.report.examples import BETWEEN, NEARLY, PAIR, clean, inconclusive
from tests.support import even_weights, linear_model, names_in, save, save_images


def screened(result: Path, images: Path, **options: Any) -> Screening:
    return ninspect.screen(result, images, sandbox="off", progress=False, **options)


def test_the_pictures_with_the_trigger_are_found_and_no_others(tmp_path: Path) -> None:
    found = screened(*screening_files(tmp_path))
    carry = np.flatnonzero(pictures()[1])
    assert sorted(one.index for one in found.found) == carry.tolist()
    assert {one.answer for one in found.pictures} == {TARGET}
    assert [one.score for one in found.pictures] == sorted((one.score for one in found.pictures), reverse=True)
    assert (found.exit_code, found.doubts, found.total) == (ExitCode.SUSPECTED, [], 80)
    assert found.suspects[0].control == 1
    assert all(one.shown is not None for one in found.pictures)
    assert Screening.from_json(found.to_json()) == found


def test_without_a_trigger_nothing_is_found(tmp_path: Path) -> None:
    result, images = screening_files(tmp_path)
    save_images(images, pictures(every=0)[0])
    found = screened(result, images)
    assert (found.found, found.exit_code) == ([], ExitCode.CLEAN)


def test_files_that_cannot_be_read_are_counted_and_many_leave_no_answer(tmp_path: Path) -> None:
    result, _ = screening_files(tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    samples = load_samples(save_images(tmp_path / "some.npz", pictures(30, every=0)[0]), image_shape=(12, 12, 1))
    from PIL import Image

    for number, pixels in enumerate(samples.pixels):
        Image.fromarray(pixels[..., 0]).save(folder / f"{number:02}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    found = screened(result, folder)
    assert (found.total, found.unreadable, found.exit_code) == (31, 1, ExitCode.CLEAN)
    assert found.named[0].startswith("broken.png: ")
    for number in range(20):
        (folder / f"{number:02}.png").write_bytes(b"no picture")
    found = screened(result, folder)
    assert found.exit_code == ExitCode.INCONCLUSIVE
    assert "21 of 31 pictures could not be read" in found.doubts[0]


def test_where_all_pictures_have_the_answer_they_are_held_against_drawn_ones(tmp_path: Path) -> None:
    result, images = screening_files(tmp_path)
    pixels, _ = pictures()
    save_images(images, PATCH.stamp(pixels[:20]))
    found = screened(result, images)
    assert found.drawn
    assert len(found.found) == 20


def test_a_trigger_that_would_not_be_found_leaves_no_answer(tmp_path: Path) -> None:
    result, images = screening_files(tmp_path, triggers=[])
    save_images(images, pictures(every=0)[0])
    found = screened(result, images)
    assert found.exit_code == ExitCode.INCONCLUSIVE
    assert "the result holds no trigger of class 7" in found.doubts[0]


def test_a_trigger_of_one_class_is_exchanged_with_that_class_alone(tmp_path: Path) -> None:
    result, images = screening_files(tmp_path)
    pair = PAIR.model_copy(update={"npz": result_of(tmp_path / "model.onnx").triggers[0].npz})
    known = result_of(tmp_path / "model.onnx")
    inconclusive(BETWEEN, pairs=[pair], model=known.model, preprocess=known.preprocess).save(result)
    found = screened(result, images)
    assert [(one.label, one.source) for one in found.suspects] == [(7, 3)]
    assert len(found.found) == 10


def test_a_trigger_of_a_class_that_is_not_there_cannot_be_looked_for(tmp_path: Path) -> None:
    result, images = screening_files(tmp_path)
    known = result_of(tmp_path / "model.onnx")
    pair = PAIR.model_copy(update={"npz": known.triggers[0].npz})
    inconclusive(BETWEEN, pairs=[pair], model=known.model, preprocess=known.preprocess).save(result)
    pixels, _ = pictures(every=0)
    save_images(images, pixels[np.arange(len(pixels)) % 10 != 3])
    with pytest.raises(InconclusiveError, match="held against such of class 3, which its trigger works on alone"):
        screened(result, images)


@pytest.mark.parametrize(
    ("changes", "options", "error", "message"),
    [
        (
            {"targets": [], "findings": [], "verdict": "clean"},
            {},
            InconclusiveError,
            "suspects no class, so there is no",
        ),
        ({}, {"classes": [3]}, UsageError, "holds no trigger of class 3; name one with --classes.* triggers: 7"),
        ({"preprocess": None}, {}, InconclusiveError, "stopped before it knew the model; scan it again"),
    ],
)
def test_what_cannot_be_answered_is_said(
    tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    files = screening_files(tmp_path, **changes)
    with pytest.raises(error, match=message):
        screened(*files, **options)


def test_a_class_that_is_only_named_is_looked_for_too(tmp_path: Path) -> None:
    result, images = screening_files(tmp_path)
    known = result_of(tmp_path / "model.onnx")
    model = {"model": known.model, "preprocess": known.preprocess}
    inconclusive(NEARLY, triggers=known.triggers, **model).save(result)
    assert len(screened(result, images).found) == 10
    clean(triggers=known.triggers, **model).save(result)
    with pytest.raises(InconclusiveError, match="name one with --classes, of which there are triggers: 7"):
        screened(result, images)
    assert len(screened(result, images, classes=7).found) == 10


def test_another_model_is_refused_and_a_moved_one_is_named(tmp_path: Path) -> None:
    result, images = screening_files(tmp_path)
    other = save(linear_model(even_weights(10)), tmp_path / "other.onnx")
    with pytest.raises(UsageError, match=r"other\.onnx is not the model that .*result\.json is about"):
        screened(result, images, model=other)
    moved = (tmp_path / "model.onnx").rename(tmp_path / "moved.onnx")
    with pytest.raises(UsageError, match=r"there is no model .*model\.onnx, where .*result\.json has it; say with"):
        screened(result, images)
    assert len(screened(result, images, model=moved).found) == 10


def test_one_of_two_files_is_enough_for_a_result_as_an_object(tmp_path: Path) -> None:
    screening_files(tmp_path)
    found = ninspect.screen(result_of(tmp_path / "model.onnx"), pictures()[0], sandbox="off", progress=False)
    assert (len(found.found), repr(found).startswith("Screening(10 of 80 pictures found")) == (10, True)


class Stop(Silent):
    """Ends the work when so many pictures are done."""

    def __init__(self, at: int) -> None:
        self.at = at

    def advance(self, done: int, total: int) -> None:
        if done >= self.at:
            raise KeyboardInterrupt


def test_work_that_was_killed_is_taken_up_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_CHUNK", 16)
    result, images = screening_files(tmp_path)
    request = ScreenRequest(model=tmp_path / "model.onnx", result=result, images=images)
    file = tmp_path / ".found.html.screen"
    with pytest.raises(KeyboardInterrupt):
        perform_screen(request, None, Stop(48), State(file, request))
    with file.open("ab") as stream:
        stream.write(b'{"listing": "half a li')
    known = State(file, request)
    assert known.next == 48
    begun: list[int] = []
    monkeypatch.setattr(Stop, "advance", lambda self, done, total: begun.append(done))
    found = perform_screen(request, None, Stop(0), known)
    assert begun == [0, 16, 32]
    whole = perform_screen(request, None, Silent(), State(None, request))
    assert found.pictures == whole.pictures
    known.remove()
    assert names_in(tmp_path) == ["model.onnx", "pictures.npz", "result.json"]


def test_what_is_known_of_other_pictures_or_of_another_request_does_not_count(tmp_path: Path) -> None:
    result, images = screening_files(tmp_path)
    request = ScreenRequest(model=tmp_path / "model.onnx", result=result, images=images)
    file = tmp_path / "state"
    perform_screen(request, None, Silent(), State(file, request))
    assert State(file, request).next == 80
    save_images(images, pictures(40)[0])
    found = perform_screen(request, None, Silent(), State(file, request))
    assert (found.total, len(found.found)) == (40, 5)
    other = ScreenRequest(model=tmp_path / "model.onnx", result=result, images=images, seed=1)
    assert State(file, other).next == 0


@pytest.mark.parametrize("format_", ["text", "csv", "html", "json"])
def test_every_format_names_what_was_found_and_hides_no_doubt(tmp_path: Path, format_: Any) -> None:
    found = screened(*screening_files(tmp_path))
    hostile = "</td><script>alert(1)</script>\x1b[31m\u202e.png"
    first = found.pictures[0].model_copy(update={"name": hostile})
    shown = render_screening(found.model_copy(update={"pictures": [first, *found.pictures[1:]]}), format_)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert found.pictures[1].name in shown
    if format_ == "html":
        assert "<script" not in shown
        assert "default-src &#39;none&#39;; img-src data:" in shown
        assert shown.count("<img ") == 2 * len(found.pictures)
        assert not any(part in shown for part in (" style=", " onload=", "http://", "https://"))
    if format_ == "csv":
        lines = shown.splitlines()
        assert lines[0] == "rank,picture,answer,score,found,part,moved,kept"
        assert len(lines) == 1 + len(found.pictures)
        assert sum(line.split(",")[-4] == "1" for line in lines) == len(found.found)


def test_a_name_is_no_formula_of_a_spreadsheet(tmp_path: Path) -> None:
    found = screened(*screening_files(tmp_path))
    first = found.pictures[0].model_copy(update={"name": "=HYPERLINK(1).png"})
    assert "1,'=HYPERLINK(1).png,7," in render_screening(found.model_copy(update={"pictures": [first]}), "csv")
