"""What pre-commit runs with the files of a commit: `python -m ninspect.cli.hook FILE...`.

Scans every model among them, and every model whose weights are among them. Weights in other files may have any name, so
pre-commit passes all files, and what decides is whether a model names them.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path


def main() -> None:
    """Scan one model at a time; the last exit code that is not 0 is the hook's."""
    models = models_of(list(map(Path, sys.argv[1:])))
    command = [sys.executable, "-P", "-m", "ninspect", "scan", "--"]
    codes = [subprocess.run([*command, str(model)], check=False).returncode for model in models]
    sys.exit(next(filter(None, reversed(codes)), 0))


def models_of(files: Sequence[Path]) -> list[Path]:
    """The models among some files, and those that name another one of them, which lies beside or below them.

    Args:
        files: relative to the folder in which the search for models ends.
    """
    models = dict.fromkeys(path for path in files if path.suffix == ".onnx")
    others: dict[Path, list[str]] = defaultdict(list)
    for path in files:
        for folder in path.parents if path not in models else ():
            others[folder].append(path.name)
    for folder, names in others.items():
        models |= dict.fromkeys(path for path in sorted(folder.glob("*.onnx")) if _names(path, names))
    return list(models)


def _names(model: Path, files: Iterable[str]) -> bool:
    """Whether a model may keep weights in files of these names: it is not parsed, only searched for the names.

    Protobuf stores text as it is, so no name is missed; letters may be of either case, as on Windows and macOS.
    """
    if not model.is_file() or model.stat().st_size == 0:
        return False
    with model.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        if content.find(b"location") < 0:  # the field that all weights in other files have
            return False
        text = content[:].lower()
    return any(name.encode(errors="surrogateescape").lower() in text for name in files)


if __name__ == "__main__":
    main()
