"""The options of commands are the fields of requests."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.core import TyperGroup

from ninspect.cli import options
from ninspect.cli.app import app
from ninspect.cli.derive import from_options
from ninspect.cli.settings import read_settings
from ninspect.errors import UsageError
from ninspect.option import options as options_of
from ninspect.requests import AugmentRequest, ExplainRequest, InfoRequest, PreprocessOptions, Request, ScanRequest

MODEL = Path("model.onnx")


def parsed(*arguments: str) -> tuple[ScanRequest, Path | None]:
    """What a command gets that takes a request and one option of its own."""
    got: list[tuple[ScanRequest, Path | None]] = []
    own = typer.Typer()

    @own.callback()
    def root(context: typer.Context) -> None:
        context.default_map, _ = read_settings(None, context)

    @own.command()
    @from_options
    def scan(request: ScanRequest, file: Annotated[Path | None, typer.Option("-o")] = None) -> None:
        got.append((request, file))

    own(["scan", "model.onnx", *arguments], standalone_mode=False)
    return got[0]


def test_without_options_there_are_the_defaults_of_the_request() -> None:
    assert parsed() == (ScanRequest(MODEL), None)


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["-s", "images", "--class-map", "map.json"], {"samples": Path("images"), "class_map": Path("map.json")}),
        (["--classes", "0,3,7-9", "--max-images", "5"], {"classes": (0, 3, 7, 8, 9), "images": 5}),
        (["--no-evidence", "--strict", "--max-memory", "2K"], {"evidence": False, "strict": True, "memory": 2048}),
        (["--method", "mmbd", "--method", "weights"], {"methods": ("mmbd", "weights")}),
        (
            ["--method", "neuroninspect", "--weights", "1,0.5,2", "--chained"],
            {"methods": ("neuroninspect",), "weights": (1, 0.5, 2), "chained": True},
        ),
        (["--require", "one-source", "--require", "file"], {"require": ("one-source", "file")}),
        (
            ["--skip", "one-target", "--ignore", "GR", "--ignore", "HX001"],
            {"skip": ("one-target",), "ignore": ("GR", "HX001")},
        ),
    ],
)
def test_options_become_fields(arguments: list[str], values: dict[str, Any]) -> None:
    request, _ = parsed(*arguments)
    assert request == replace(ScanRequest(MODEL), **values)
    assert Request.from_json(request.to_json()) == request


def test_options_of_a_group_become_fields_of_the_group() -> None:
    request, file = parsed("--preprocess", "p.toml", "--mean", "1,2,3", "--std", "2", "--size", "8x9", "-o", "out")
    group = PreprocessOptions(file=Path("p.toml"), mean=(1, 2, 3), std=2, size=(8, 9))
    assert (request, file) == (ScanRequest(MODEL, preprocess=group), Path("out"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--skip", "file"], "'file' is not one of 'one-target', 'every-class', 'one-source'"),
        (["--require", "all"], "'all' is not one of 'file', "),
        (["--require", "one-source", "--skip", "one-source"], "contradict each other"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(Exception, match=message):
        parsed(*arguments)


def test_lists_and_numbers_can_stand_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text(
        "[tool.ninspect.scan]\n"
        'skip = ["one-source"]\nignore = ["GR001"]\nmean = 0.5\nstrict = true\nmethod = ["mmbd"]\n'
    )
    there = ScanRequest(
        MODEL,
        preprocess=PreprocessOptions(mean=0.5),
        skip=("one-source",),
        ignore=("GR001",),
        strict=True,
        methods=("mmbd",),
    )
    assert parsed()[0] == there
    monkeypatch.setenv("NINSPECT_SCAN_SKIP", "every-class one-target")
    assert parsed("--ignore", "IN")[0] == replace(there, skip=("every-class", "one-target"), ignore=("IN",))
    with pytest.raises(UsageError, match="contradict"):
        parsed("--require", "every-class")


LIMITS = options.LimitOptions


@pytest.mark.parametrize(
    ("command", "groups", "own"),
    [
        (
            "scan",
            [
                ScanRequest,
                PreprocessOptions,
                LIMITS,
                options.OutputOptions,
                options.PipelineOptions,
                options.FleetOptions,
            ],
            ["ONNX files, and folders of them; a path in which there is no .onnx is the same as --samples."],
        ),
        ("explain", [ExplainRequest, PreprocessOptions, LIMITS], ["The PNG to write."]),
        ("augment", [AugmentRequest, LIMITS], ["The ONNX file to write."]),
        ("info", [InfoRequest, LIMITS], ["Output format."]),
    ],
)
def test_a_command_has_the_options_of_its_classes_and_few_others(
    command: str, groups: list[type], own: list[str]
) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    params = group.commands[command].params
    shown = [param.help.partition(" One of ")[0] for param in params]  # type: ignore[attr-defined]
    declared = [option.help for kind in groups for _, _, option in options_of(kind) if option]
    declared = [text for text in declared if command != "scan" or text != "The ONNX file."]  # it takes several
    assert sorted(shown) == sorted([*declared, *own])
