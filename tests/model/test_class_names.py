import json
from pathlib import Path

import pytest

from ninspect.errors import UsageError
from ninspect.model import class_names, names_in_metadata

NAMES = ("cat", "dog", "a b")


@pytest.mark.parametrize(
    "text",
    [
        "cat\ndog\n a b \n",
        '["cat", "dog", "a b"]',
        '{"0": "cat", "1": "dog", "2": "a b"}',
        '{"model_type": "vit", "id2label": {"2": "a b", "1": "dog", "0": "cat"}}',
        '{"architecture": "resnet18", "label_names": ["cat", "dog", "a b"], "pretrained_cfg": {}}',
    ],
)
def test_names_are_read_from_text_and_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "names").write_text(text, encoding="utf-8")
    assert class_names(tmp_path / "model.onnx", tmp_path / "names") == NAMES


def test_names_beside_the_model_are_found(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    assert class_names(model) == ()
    config = tmp_path / "config.json"
    for text in ("{", '{"port": 80}', '{"id2label": {"0": "cat", "2": "dog"}}', '{"id2label": ["cat", 1]}'):
        config.write_text(text, encoding="utf-8")
        assert class_names(model) == ()
    config.write_text(json.dumps({"id2label": dict(enumerate(NAMES))}), encoding="utf-8")
    assert class_names(model) == NAMES
    (tmp_path / "classes.txt").write_text("one\ntwo\n", encoding="utf-8")
    assert class_names(model) == ("one", "two")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"port": 80}', "has no names of classes; give a text file with a class name on each line, or a JSON file"),
        ("", "has no names of classes"),
        ("{", "is not valid JSON"),
    ],
)
def test_files_without_names_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "names").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        class_names(tmp_path / "model.onnx", tmp_path / "names")


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"names": "{0: 'cat', 1: 'dog', 2: 'a b'}"}, NAMES),
        ({"author": "me", "classes": '["cat", "dog", "a b"]'}, NAMES),
        ({"id2label": '{"0": "cat", "1": "dog", "2": "a b"}', "names": "{0: 'other'}"}, NAMES),
        ({"names": "__import__('os').system('touch owned')"}, ()),
        ({"names": "[__import__('os').system('touch owned')]"}, ()),
        ({"names": "{0: " * 50_000}, ()),
        ({"names": "[" * 190_000}, ()),
        ({"names": "['a'" + ", 'a'" * 100_000 + "]"}, ()),
        ({"names": "{'a': {}, 'b': []}"}, ()),
        ({"labels": "cat, dog"}, ()),
        ({}, ()),
    ],
)
def test_names_in_metadata_are_data_and_never_run(metadata: dict[str, str], expected: tuple[str, ...]) -> None:
    assert names_in_metadata(metadata) == expected
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    "text",
    [
        "0 cat\n1 dog\n2 a b\n",
        "2,a b\n0,cat\n1,dog\n",
        "1: cat\n2: dog\n3: a b\n",
    ],
)
def test_lines_may_begin_with_the_number_of_the_class(tmp_path: Path, text: str) -> None:
    (tmp_path / "names").write_text(text, encoding="utf-8")
    assert class_names(tmp_path / "model.onnx", tmp_path / "names") == NAMES


def test_names_that_begin_with_other_numbers_are_names(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("50 km/h\n30 km/h\n", encoding="utf-8")
    assert class_names(tmp_path / "model.onnx", tmp_path / "names") == ("50 km/h", "30 km/h")


def test_keras_lists_the_number_in_wordnet_with_each_name(tmp_path: Path) -> None:
    index = {"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]}
    (tmp_path / "names.json").write_text(json.dumps(index), encoding="utf-8")
    assert class_names(tmp_path / "model.onnx", tmp_path / "names.json") == ("n01440764 tench", "n01443537 goldfish")


@pytest.mark.parametrize(("folder", "expected"), [("onnx", NAMES), ("other", ())])
def test_names_lie_above_the_folder_that_hugging_face_has(
    tmp_path: Path, folder: str, expected: tuple[str, ...]
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(enumerate(NAMES))}), encoding="utf-8")
    assert class_names(tmp_path / folder / "model.onnx") == expected
    (tmp_path / "config.json").rename(tmp_path / "elsewhere")
    (tmp_path / "config.json").symlink_to("elsewhere")
    assert class_names(tmp_path / folder / "model.onnx") == ()
