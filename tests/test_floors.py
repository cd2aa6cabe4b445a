"""The rooms of the house stand on floors: a room imports from the floors below it, and from nowhere else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ninspect

PACKAGE = Path(ninspect.__file__).parent

# From the ground up. Rooms of one floor do not know each other.
FLOORS = (
    {"errors", "text", "names"},
    {"files", "machine", "findings", "measure", "option", "progress"},
    {"requests"},
    {"graph", "report", "isolation"},
    {"gradient"},
    {"model"},
    {"preprocess"},
    {"samples"},
    {"runtime"},
    {"search"},
    {"detect"},
    {"audit"},
    {"remedy", "carriers"},
    {"jobs"},
    {"dispatch"},
    {"fleet", "mending", "screening"},
    {"worker", "cli", "api"},
    {"__init__", "__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room(module: str) -> str:
    """`ninspect.graph.writer` stands in `graph`, `ninspect.jobs` is a room of its own."""
    return module.split(".")[1] if "." in module else "__init__"


def imports(path: Path) -> Iterator[str]:
    """Every module of the package that a file imports, wherever in it, also for types alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{name}" if node.module == "ninspect" else str(node.module) for name in names]
        yield from (name for name in names if name.split(".")[0] == "ninspect")


def arrows() -> set[tuple[str, str, str]]:
    """(file, the room that it stands in, a room that it imports)."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).with_suffix("")
        found |= {(str(name), name.parts[0], room(module)) for module in imports(path)}
    return {arrow for arrow in found if arrow[1] != arrow[2]}


def test_every_room_has_its_floor() -> None:
    rooms = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.suffix in (".py", "")}
    assert rooms - {"__pycache__"} == set(FLOOR)


@pytest.mark.parametrize("floor", range(len(FLOORS)), ids=lambda number: "-".join(sorted(FLOORS[number])))
def test_no_arrow_points_up_or_along_a_floor(floor: int) -> None:
    wrong = {(file, above) for file, here, above in arrows() if FLOOR[here] == floor and FLOOR[above] >= floor}
    assert wrong == set()


def test_a_detector_knows_neither_onnx_nor_its_runtime() -> None:
    for path in (PACKAGE / "detect").glob("*.py"):
        words = path.read_text(encoding="utf-8")
        assert "import onnx" not in words
        assert "onnxruntime" not in words


def test_no_module_holds_two_ideas() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path for path, lines in lengths.items() if lines > 400} == set()
