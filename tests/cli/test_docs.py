import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_docs_cli_md_is_what_the_commands_say(tmp_path: Path) -> None:
    written = tmp_path / "cli.md"
    command = [sys.executable, "-m", "typer", "ninspect.cli.app", "utils", "docs", "--name", "ninspect"]
    subprocess.run([*command, "--output", str(written)], check=True, capture_output=True)
    current = written.read_text(encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == current, f"write it again: {' '.join(command[1:])} --output docs/cli.md"
