import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from ninspect.audit.describe import describe_attention
from ninspect.audit.stages import scan
from ninspect.detect import Attention
from ninspect.errors import UsageError
from ninspect.report import save_pictures
from ninspect.report.picture import png
from ninspect.report.pictures import picture_files
from tests.report.examples import ATTENTION, PAIR, TRIGGER, example, picture, stopped
from tests.support import backdoored_weights, linear_scan_files, names_in, random_pixels


def test_a_scan_shows_the_trigger_what_it_does_and_where_classes_look(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, backdoored_weights(7))
    result = scan(model, images)
    files = picture_files(result)
    names = [f"class-7-example-{i}-{when}.png" for i in (1, 2, 3) for when in ("before", "after")]
    assert {"image.png", "class-7-heatmap.png", "class-7-mask.png", "class-7-trigger.png", *names} <= set(files)
    assert sum(name.endswith("-heatmap.png") for name in files) == 10
    for data in files.values():
        with Image.open(io.BytesIO(data)) as shown:
            assert (shown.format, shown.size) == ("PNG", (12, 12))
    assert result.attention is not None
    assert result.attention.heatmaps[0].label == 7
    trigger, *others = result.triggers
    assert (trigger.label, len(others)) == (7, 2)
    assert all(example.answer_before != 7 for example in trigger.examples)
    assert any(example.answer_after == 7 for example in trigger.examples)


def test_the_trigger_of_a_pair_of_classes_has_a_name_of_its_own() -> None:
    files = picture_files(example(pairs=[PAIR]))
    assert {"class-7-mask.png", "class-3-to-7-mask.png", "class-3-to-7-trigger.png"} <= set(files)


@pytest.mark.parametrize(("shape", "size"), [((224, 300, 3), (112, 84)), ((112, 20, 1), (20, 112))])
def test_pictures_larger_than_need_be_are_shrunk(shape: tuple[int, int, int], size: tuple[int, int]) -> None:
    image = random_pixels(1, shape)[0]
    info = describe_attention(Attention(np.array([3]), image[None, ..., 0], image, 5, 24))
    assert info is not None
    for data in (info.image, info.heatmaps[0].picture):
        with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
            assert shown.size == size


def test_a_small_picture_is_the_image_itself() -> None:
    image = random_pixels(1, (20, 30, 3))[0]
    with Image.open(io.BytesIO(png(image, 112))) as shown:
        assert np.array_equal(np.asarray(shown), np.rint(image * 255))


def test_larger_pictures_take_little_space_and_show_the_same() -> None:
    grid = np.linspace(0, 1, 112, dtype=np.float32)
    image = np.stack(np.broadcast_arrays(grid, grid[:, None], grid[::-1]), axis=-1)
    image[50:58, 50:58] = 1, 0, 1
    with Image.open(io.BytesIO(png(image, 112))) as shown:
        assert np.abs(np.asarray(shown.convert("RGB")) - image * 255).mean() < 8
        assert shown.convert("RGB").getpixel((53, 53)) == (255, 0, 255)
    assert len(png(random_pixels(1, (224, 224, 3))[0], 112)) < 14_000


def test_the_pictures_can_be_written_as_files(tmp_path: Path) -> None:
    save_pictures(example(), tmp_path / "pictures")
    assert names_in(tmp_path / "pictures") == sorted(picture_files(example()))
    assert (tmp_path / "pictures" / "class-7-mask.png").read_bytes().startswith(b"\x89PNG")
    assert picture_files(stopped("the file is empty")) == {}
    with pytest.raises(UsageError, match="missing/pictures cannot be written: No such file"):
        save_pictures(example(), tmp_path / "missing" / "pictures")


@pytest.mark.parametrize("text", ["", "nonsense", "javascript:alert(1)", '" onerror="x', "PHN2Zz4=", picture() + "\n"])
def test_what_is_no_png_is_refused_where_a_picture_belongs(text: str) -> None:
    changes: list[dict[str, Any]] = [
        {"triggers": [TRIGGER.model_dump() | {"mask": text}]},
        {"attention": ATTENTION.model_dump() | {"image": text}},
    ]
    for change in changes:
        with pytest.raises(ValidationError):
            example(**change)
