import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from ninspect import ScanOptions, scan
from ninspect.errors import UsageError
from ninspect.report import save_pictures
from ninspect.report.pictures import picture_files
from tests.report.examples import ATTENTION, TRIGGER, example, picture, stopped
from tests.support import backdoored_weights, even_weights, linear_scan_files, names_in


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
    (trigger,) = result.triggers
    assert all(example.answer_before != 7 for example in trigger.examples)
    assert any(example.answer_after == 7 for example in trigger.examples)


def test_large_pictures_are_shrunk_so_that_a_result_stays_small(tmp_path: Path) -> None:
    model, images = linear_scan_files(tmp_path, even_weights(classes=43, channels=3, side=150), count=12)
    result = scan(model, images, ScanOptions(images=12))
    assert result.attention is not None
    with Image.open(io.BytesIO(picture_files(result)["image.png"])) as shown:
        assert shown.size == (112, 112)
    assert len(result.to_json()) < 1_000_000


def test_the_pictures_can_be_written_as_files(tmp_path: Path) -> None:
    save_pictures(example(), tmp_path / "pictures")
    assert names_in(tmp_path / "pictures") == sorted(picture_files(example()))
    assert (tmp_path / "pictures" / "class-7-mask.png").read_bytes().startswith(b"\x89PNG")
    assert picture_files(stopped("the file is empty")) == {}
    with pytest.raises(UsageError, match="missing/pictures cannot be made: No such file"):
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
