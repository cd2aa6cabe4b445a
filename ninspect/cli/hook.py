"""What pre-commit runs with the files of a commit: `python -m ninspect.cli.hook FILE...`.

Scans every model among them, and every model whose weights are among them. Weights in other files may have any name, so
pre-commit passes all files, and what decides is whether a model names them.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ninspect.fleet.identity import named_in


def main() -> None:
    """Scan the models; the exit code is that of the scan."""
    models = models_of(list(map(Path, sys.argv[1:])))
    command = [sys.executable, "-P", "-m", "ninspect", "scan", "--", *map(str, models)]
    sys.exit(subprocess.run(command, check=False).returncode if models else 0)


def models_of(files: Sequence[Path]) -> list[Path]:
    """The models among some files, and those that name another one of them, which lies beside or below them.

    Args:
        files: relative to the folder in which the search for models ends.
    """
    models = dict.fromkeys(path for path in files if path.suffix == ".onnx")
    others: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        for folder in path.parents if path not in models else ():
            others[folder].append(path)
    for folder, inside in others.items():
        models |= dict.fromkeys(path for path in sorted(folder.glob("*.onnx")) if named_in(path, inside))
    return list(models)


if __name__ == "__main__":
    main()
