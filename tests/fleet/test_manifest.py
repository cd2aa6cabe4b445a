import json
from dataclasses import replace
from pathlib import Path

import pytest

from ninspect.errors import UsageError
from ninspect.fleet.manifest import Rules, read_manifest
from ninspect.fleet.remote import address_of
from ninspect.requests import PreprocessOptions, ScanRequest

ROWS = [
    {"path": "a.onnx", "samples": "images", "preprocess": "imagenet", "class_names": "names.txt"},
    {"path": "sub/b.onnx", "samples": "", "preprocess": "p.toml"},
]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_manifest_says_what_belongs_to_each_model(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"models.{suffix}"
    keys = ["path", "samples", "preprocess", "class_names"]
    lines = [",".join(keys), *(",".join(row.get(key, "") for key in keys) for row in ROWS), ""]
    file.write_text("\n".join(lines if suffix == "csv" else map(json.dumps, ROWS)))
    (first, said), (second, other) = read_manifest(file)
    assert (first, second) == (tmp_path / "a.onnx", tmp_path / "sub" / "b.onnx")
    asked = ScanRequest(first, Path("shared"), preprocess=PreprocessOptions(size=(8, 8)))
    assert said.applied(asked) == replace(
        asked,
        samples=tmp_path / "images",
        class_names=tmp_path / "names.txt",
        preprocess=PreprocessOptions(size=(8, 8), preset="imagenet"),
    )
    assert other.applied(asked) == replace(asked, preprocess=PreprocessOptions(size=(8, 8), file=tmp_path / "p.toml"))


def test_an_address_in_a_manifest_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("path,samples\ns3://bucket/a.onnx,s3://bucket/images\n")
    ((model, entry),) = read_manifest(tmp_path / "m.csv")
    assert (address_of(model), entry.samples) == ("s3://bucket/a.onnx", Path("s3://bucket/images"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.csv", "model,samples\na.onnx,b\n", "has no column 'path'"),
        ("m.csv", "path,weights\na.onnx,b\n", "line 2 of .* has the key 'weights'; the keys are path, samples"),
        ("m.csv", "path,samples\n,b\n", "line 2 of .* has no path"),
        ("m.csv", "path\na.onnx,b\n", "line 2 of .* has more cells than the header"),
        ("m.csv", "path\n", "names no models"),
        ("m.jsonl", '{"path": "a.onnx"}\n{"path": 3}\n', "line 2 of .*: path is no text"),
        ("m.jsonl", '{"path": "a.onnx"}\n[1]\n', "line 2 of .* is no object of JSON"),
        ("m.jsonl", "{", "line 1 of .* is no object of JSON"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=message):
        read_manifest(tmp_path / name)


def test_the_first_rule_that_fits_a_model_applies(tmp_path: Path) -> None:
    for name in ("signs/a.onnx", "signs/deep/b.onnx", "c.onnx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    tables = [
        {"path": "signs/*.onnx", "samples": "images"},
        {"path": "signs/**/*.onnx", "samples": "others", "preprocess": "unit"},
    ]
    rules = Rules.of(tables, tmp_path / "pyproject.toml")
    asked = [ScanRequest(tmp_path / name) for name in ("signs/a.onnx", "signs/deep/b.onnx", "c.onnx")]
    first, second, third = rules.apply(asked)
    assert first == replace(asked[0], samples=tmp_path / "images")
    assert second == replace(asked[1], samples=tmp_path / "others", preprocess=PreprocessOptions(preset="unit"))
    assert third == asked[2]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"path": "a"}, r"models must be tables such as \[\[tool\.ninspect\.models\]\]"),
        ([{"samples": "a"}], "models, number 1, has no path"),
        ([{"path": "/etc/*.onnx"}], "'/etc/.*' is no pattern of paths below"),
    ],
)
def test_rules_that_are_wrong_are_named(tmp_path: Path, tables: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Rules.of(tables, tmp_path / "pyproject.toml").apply([ScanRequest(Path("a.onnx"))])
