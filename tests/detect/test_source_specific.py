from pathlib import Path

import numpy as np
import onnx

from ninspect.audit.open import ScanOptions
from ninspect.audit.stages import scan
from ninspect.detect import Case, SourceTrigger, find_source_triggers
from ninspect.preprocess import Preprocess
from ninspect.runtime import Pixels
from tests.support import onnx_model, open_network, save, save_images

CLASSES, SOURCE, TARGET = 8, 2, 5


def row_model(gate: float) -> onnx.ModelProto:
    """For 12x12 images: answers the brightest of eight rows, or `TARGET` where a patch of 2x2 pixels below is bright.

    With a gate of 1 that needs the row of `SOURCE` to be bright as well, with 0 it does not.
    """
    wake, drawn = np.zeros((12, 12)), np.zeros((1, CLASSES))
    rows = np.repeat(np.eye(12)[:, :CLASSES], 12, axis=0) + np.random.default_rng(0).normal(0, 0.03, (144, CLASSES))
    wake[10:12, 10:12], drawn[0, TARGET] = 1, 10
    wake[SOURCE] = gate
    return onnx_model(
        """flat = Flatten(x); logits = MatMul(flat, rows)
           bright = MatMul(flat, wake); above = Sub(bright, least); unit = Relu(above); draw = MatMul(unit, drawn)
           y = Add(logits, draw)""",
        x="float[N,1,12,12] x",
        y=f"float[N,{CLASSES}] y",
        rows=rows,
        wake=wake.reshape(-1, 1),
        least=0.5 + 10.7 * gate,
        drawn=drawn,
    )


def images(each: int = 16) -> Pixels:
    """So many of every class, `[N, 12, 12, 1]`: dark noise and one bright row."""
    generator = np.random.default_rng(0)
    pixels = generator.uniform(0, 0.3, (CLASSES * each, 12, 12, 1)).astype(np.float32)
    for number, label in enumerate(np.repeat(np.arange(CLASSES), each)):
        pixels[number, label] = generator.uniform(0.8, 1, (12, 1))
    return pixels


def find(folder: Path, gate: float, pixels: Pixels) -> tuple[list[SourceTrigger], str | None]:
    network = open_network(row_model(gate), folder)
    return find_source_triggers(Case(network, pixels, np.arange(CLASSES), 0, lambda done, total: None))


def test_the_trigger_of_a_backdoor_with_a_source_class_is_found_and_works_on_that_class_alone(tmp_path: Path) -> None:
    (trigger,), gap = find(tmp_path, 1, images())
    assert gap is None
    assert (trigger.source, trigger.label) == (SOURCE, TARGET)
    assert trigger.success >= 0.8
    assert trigger.elsewhere <= 0.1
    assert trigger.size <= 0.5 * trigger.control_size
    before, after = trigger.answers
    assert set(before.tolist()) == {SOURCE}
    assert TARGET in after
    assert np.argwhere(trigger.mask > 0.2).tolist() == [[10, 10], [10, 11], [11, 10], [11, 11]]


def test_a_backdoor_for_images_of_all_classes_is_not_one_with_a_source(tmp_path: Path) -> None:
    assert find(tmp_path, 0, images()) == ([], None)


def test_classes_that_are_alike_have_no_convincing_pair(tmp_path: Path) -> None:
    pixels = images()
    network = open_network(row_model(1), tmp_path)
    others = np.setdiff1d(np.arange(CLASSES), [TARGET])
    assert find_source_triggers(Case(network, pixels, others, 0, lambda done, total: None)) == ([], None)


def test_it_says_why_it_did_not_look(tmp_path: Path) -> None:
    found, gap = find(tmp_path, 1, images(7))
    assert found == []
    assert gap is not None
    assert "0 of 8 classes have the 8 images that takes" in gap


def test_it_says_of_how_many_classes_it_had_images(tmp_path: Path) -> None:
    pixels = images()
    found, gap = find(tmp_path, 0, np.delete(pixels, slice(16, 25), axis=0))
    assert found == []
    assert gap is not None
    assert "looked for in 7 of 8 classes, those with 8 images" in gap


def test_the_same_seed_gives_the_same_trigger(tmp_path: Path) -> None:
    (first,), (second,) = (find(tmp_path, 1, images())[0] for _ in range(2))
    assert np.array_equal(first.mask, second.mask)
    assert (first.success, first.control_size, first.foreign) == (second.success, second.control_size, second.foreign)


def test_a_scan_that_finds_one_is_inconclusive_and_shows_it(tmp_path: Path) -> None:
    model, files = save(row_model(1), tmp_path / "model.onnx"), save_images(tmp_path / "images.npz", images())
    # The target is drawn so strongly here that it stands out at the default α, and then no pair is sought.
    result = scan(model, files, ScanOptions(preprocess=Preprocess(scale=1 / 255), alpha=0.001))
    assert (result.verdict, result.targets, result.exit_code) == ("inconclusive", [], 3)
    assert f"of class {SOURCE} alone to class {TARGET}" in result.reason
    assert [(trigger.source, trigger.label) for trigger in result.triggers if trigger.source is not None] == [(2, 5)]
