"""Scan a bundled backdoored model and its clean twin: `make demo`.

Fails when the verdicts are not what they must be, so it is a test of the installation as well.
"""

import subprocess
import sys

import typer

from tools import ROOT

# Of 43 classes some are too alike for `clean` to speak of backdoors between two of them.
SCANS = {"badnet_torch.onnx": ([], 1), "clean_torch.onnx": (["--skip", "one-source"], 0)}


def main() -> None:
    """Scan both models; the exit code is 0 when both verdicts are right.

    Example: python -m tools.demo
    """
    for name, (options, expected) in SCANS.items():
        command = ["scan", f"models/signs/{name}", "--samples", "models/signs/samples", *options]
        print("$ ninspect", *command, flush=True)
        code = subprocess.run([sys.executable, "-m", "ninspect", *command], cwd=ROOT, check=False).returncode
        print(flush=True)
        if code != expected:
            print(f"{name}: exit code {code}, expected {expected}", file=sys.stderr)
            raise typer.Exit(4)


if __name__ == "__main__":
    typer.run(main)
