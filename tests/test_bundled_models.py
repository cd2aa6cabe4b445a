"""The bundled models, from both frameworks: their cards are true, and a scan tells them apart."""

import hashlib
import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ninspect.audit.stages import scan

MODELS = Path(__file__).parent.parent / "models"
CARDS = sorted(path for path in MODELS.glob("*/*_*.toml"))
SELFTEST = [MODELS / "signs" / f"{kind}_torch.toml" for kind in ("badnet", "clean")]  # scanned there, and as examples


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def card(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def test_there_are_clean_opaque_and_translucent_models_of_both_data_sets_and_frameworks() -> None:
    parts = itertools.product(("digits", "signs"), ("clean", "badnet", "translucent"), ("torch", "keras"))
    assert {name(path) for path in CARDS} == {f"{data}/{kind}_{made}" for data, kind, made in parts}


@pytest.mark.parametrize("path", CARDS, ids=name)
def test_the_card_describes_the_file_beside_it(path: Path) -> None:
    facts, data = card(path), path.with_suffix(".onnx").read_bytes()
    assert facts["sha256"] == hashlib.sha256(data).hexdigest()
    assert len(data) < 1_000_000
    assert facts["clean_accuracy"] >= 0.95
    assert facts.get("attack_success", 1.0) >= 0.95
    assert ("target" in facts) == (facts["kind"] == "backdoored") == ("trigger" in facts)


@pytest.mark.parametrize("path", [path for path in CARDS if path not in SELFTEST], ids=name)
def test_a_scan_finds_the_target_of_a_backdoored_model_and_clears_its_clean_twin(path: Path) -> None:
    result = scan(path.with_suffix(".onnx"), path.parent / "samples", device="cpu")
    assert result.samples is not None
    assert result.samples.clean_accuracy is not None
    assert result.samples.clean_accuracy >= 0.95
    assert all(test.passed for test in result.truth_tests)
    target = card(path).get("target")
    if target is None:
        assert result.verdict == "clean"
        return
    assert result.p_value is not None
    index = [value or 0.0 for value in result.detectors[0].index]
    assert index.index(max(index)) == target
    assert result.verdict == "suspected"
    assert result.targets == [target]
