from pathlib import Path

import pytest

from ninspect.errors import UsageError
from ninspect.fleet.find import find_models, has_models


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    for name in ("b.onnx", "a/z.ONNX", "a/weights.data", ".cache/c.onnx", ".hidden.onnx", "blobs/1f", "readme.md"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_every_model_below_a_folder_is_found_once_in_the_order_of_paths(folder: Path) -> None:
    found = find_models([folder, folder / "b.onnx"])
    assert [path.relative_to(folder).as_posix() for path in found.models] == ["b.onnx", "a/z.ONNX"]
    assert found.remark() == "passed over in the folders: 2 hidden"


def test_links_that_lead_out_are_counted_and_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "out.onnx").write_bytes(b"x")
    (folder / "out.onnx").symlink_to(tmp_path / "elsewhere" / "out.onnx")
    (folder / "around").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(folder)
    (folder / "inside.onnx").symlink_to(folder / "blobs" / "1f")  # as the cache of Hugging Face has them
    found = find_models([folder])
    assert [path.name for path in found.models] == ["b.onnx", "inside.onnx", "z.ONNX"]
    assert found.remark() == "passed over in the folders: 2 hidden, 3 links"


def test_a_file_is_taken_whatever_its_name_is(folder: Path) -> None:
    assert find_models([folder / "readme.md"]).models == (folder / "readme.md",)


def test_what_is_not_there_is_said_before_any_scan(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*c\.onnx; give the path of an \.onnx file or of a folder"):
        find_models([folder, tmp_path / "c.onnx"])
    with pytest.raises(UsageError, match=r"there is no \.onnx file in .*blobs or below"):
        find_models([folder / "blobs"])
    assert (has_models(folder), has_models(folder / "blobs")) == (True, False)
