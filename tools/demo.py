"""Scan a bundled backdoored model and its clean twin: `make demo`.

Fails when the verdicts are not what they must be, so it is a test of the installation as well.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Of 43 classes some are too alike for `clean` to speak of backdoors between two of them.
SCANS = {"badnet_torch.onnx": ([], 1), "clean_torch.onnx": (["--no-source-specific"], 0)}


def main() -> int:
    """Run `ninspect scan` on both models; 0 when both verdicts are right."""
    for name, (options, expected) in SCANS.items():
        command = ["scan", f"models/signs/{name}", "--samples", "models/signs/samples", *options]
        print("$ ninspect", *command, flush=True)
        code = subprocess.run([sys.executable, "-m", "ninspect", *command], cwd=ROOT, check=False).returncode
        print(flush=True)
        if code != expected:
            print(f"{name}: exit code {code}, expected {expected}", file=sys.stderr)
            return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
