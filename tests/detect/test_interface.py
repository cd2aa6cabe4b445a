from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ninspect.detect import Case, Detector, Examination, Needs, NeuralCleanse, examined
from ninspect.detect.registry import DETECTORS
from ninspect.names import QUESTIONS
from ninspect.runtime import Network
from tests.support import Array, even_weights, linear_model, open_network, random_pixels


@dataclass(frozen=True)
class Accuser(Detector):
    """Suspects class 4 whatever it sees."""

    name: ClassVar[str] = "accuser"

    gap: str | None = None

    def examine(self, case: Case) -> Examination:
        p = np.where(case.classes == 4, 0.001, 1.0)
        return Examination(
            name=self.name, classes=case.classes, scores={}, index=np.zeros(len(p)), p_values=p, gap=self.gap
        )


class BlindAccuser(Accuser):
    needs: ClassVar[Needs] = Needs(blind=True)


class FileReader(Accuser):
    needs: ClassVar[Needs] = Needs(images=False)


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return open_network(linear_model(even_weights()), tmp_path)


def case(network: Network, pixels: Array | None) -> Case:
    return Case(network, pixels, np.arange(10), 0, lambda done, total: None)


def test_without_images_a_detector_that_needs_them_has_a_gap_and_nothing_else(network: Network) -> None:
    found = examined(Accuser(), case(network, None))
    assert found.gap == "clean images are needed; give --samples"
    assert (found.name, found.p_value, found.targets(0.01)) == ("accuser", None, [])


def test_without_images_a_blind_detector_has_a_gap_and_may_accuse(network: Network) -> None:
    found = examined(BlindAccuser(), case(network, None))
    assert found.gap == Needs().missing(case(network, None))
    assert found.targets(0.01) == [4]


def test_a_detector_that_needs_no_images_has_no_gap_without_them(network: Network) -> None:
    found = examined(FileReader(), case(network, None))
    assert found.gap is None
    assert found.targets(0.01) == [4]


@pytest.mark.parametrize("detector", [Accuser(), BlindAccuser(), FileReader()])
def test_with_images_nothing_is_missing(network: Network, detector: Detector) -> None:
    found = examined(detector, case(network, random_pixels(4, (12, 12, 1))))
    assert found.gap is None
    assert found.seconds > 0


def test_the_gap_that_a_detector_finds_itself_is_kept(network: Network) -> None:
    assert examined(BlindAccuser("too dark"), case(network, None)).gap == "too dark"


def test_settings_are_the_fields_of_the_dataclass() -> None:
    assert Accuser("too dark").settings == {"gap": "too dark"}
    for kind in DETECTORS.values():
        assert kind is NeuralCleanse or kind().settings == vars(kind())


def test_detectors_have_names_of_their_own_and_known_questions() -> None:
    assert [kind.name for kind in DETECTORS.values()] == list(DETECTORS)
    assert len(set(DETECTORS.values())) == len(DETECTORS)
    assert {question for kind in DETECTORS.values() for question in kind.answers} == set(QUESTIONS) - {"file"}


@pytest.mark.parametrize("name", [name for name, kind in DETECTORS.items() if kind.needs == Needs()])
def test_no_detector_looks_without_the_images_that_it_needs(network: Network, name: str) -> None:
    given = case(network, None)
    assert examined(DETECTORS[name](), given).gap == Needs().missing(given)
