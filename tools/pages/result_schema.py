"""Writes docs/result.schema.json, the JSON Schema of what `ninspect scan --format json` writes."""

import json

import typer

from ninspect.report import SCHEMA, Result
from tools import ROOT

FILE = ROOT / "docs" / "result.schema.json"


def schema_text() -> str:
    """The schema as it has to be in the file."""
    schema = Result.model_json_schema(by_alias=True, mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, "title": f"Result ({SCHEMA})"}
    return json.dumps(head | {name: part for name, part in schema.items() if name not in head}, indent=2) + "\n"


def main() -> None:
    """Write docs/result.schema.json.

    Example: python -m tools.pages.result_schema
    """
    FILE.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
