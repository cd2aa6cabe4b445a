"""Scan a bundled backdoored model and its clean twin: `make demo`.

Fails when the verdicts are not what they must be, so it is a test of the installation as well.
"""

import subprocess
import sys

import typer

from tools import ROOT

EXPECTED = {"badnet_torch.onnx": 1, "clean_torch.onnx": 0}


def main() -> None:
    """Scan both models; the exit code is 0 when both verdicts are right.

    Example: python -m tools.demo
    """
    for name, expected in EXPECTED.items():
        command = ["scan", f"models/signs/{name}", "--samples", "models/signs/samples"]
        print("$ ninspect", *command, flush=True)
        code = subprocess.run([sys.executable, "-m", "ninspect", *command], cwd=ROOT, check=False).returncode
        print(flush=True)
        if code != expected:
            print(f"{name}: exit code {code}, expected {expected}", file=sys.stderr)
            raise typer.Exit(4)


if __name__ == "__main__":
    typer.run(main)
