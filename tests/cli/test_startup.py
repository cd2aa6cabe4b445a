import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import even_weights, linear_scan_files

HEAVY = {"numpy", "onnx", "onnx_ir", "onnxruntime", "scipy", "PIL", "pydantic", "torch"}

LIST_MODULES = "import json; print(json.dumps(sorted(set(sys.modules))), file=sys.stderr)"
HELP = f"""
import sys
from ninspect.cli import main
sys.argv = ["ninspect", "--help"]
try:
    main()
except SystemExit:
    pass
{LIST_MODULES}
"""


REQUEST = f"""
import sys
from pathlib import Path
from ninspect.requests import ScanRequest
ScanRequest(Path("model.onnx"), alpha=0.05)
{LIST_MODULES}
"""


@pytest.mark.parametrize(
    "program", [HELP, f"import sys, ninspect; {LIST_MODULES}", REQUEST], ids=["--help", "import", "a request"]
)
def test_nothing_heavy_is_imported_before_it_is_needed(program: str) -> None:
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=60, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(run.stderr)}
    assert "ninspect" in loaded
    assert loaded & HEAVY == set()


SCAN = f"""
import sys
from ninspect.cli import main
sys.argv = ["ninspect", "scan", "model.onnx", "--samples", "images.npz"]
try:
    main()
except SystemExit:
    pass
{LIST_MODULES}
"""


def test_the_process_that_the_user_started_reads_no_model(tmp_path: Path) -> None:
    linear_scan_files(tmp_path, even_weights())
    run = subprocess.run(
        [sys.executable, "-c", SCAN], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=True
    )
    assert run.stdout.startswith("CLEAN")
    loaded = {name.partition(".")[0] for name in json.loads(run.stderr)}
    assert loaded & HEAVY == {"pydantic"}
