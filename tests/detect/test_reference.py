from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from ninspect.detect import Case, Examination, PairBeside, Reference, examined, holm
from ninspect.detect.examination import judge
from ninspect.detect.reference import ALONE, pair_score
from tests.detect.sources import CLASSES, SOURCE, TARGET, images, row_model
from tests.support import open_network

NEVER = 100.0  # a gate that nothing opens: a clean model


def case(folder: Path, model: onnx.ModelProto, *references: onnx.ModelProto, each: int = 16) -> Case:
    opened = [open_network(one, folder) for one in (model, *references)]
    own, *others = (Case(network, images(each), np.arange(CLASSES), 0, lambda done, total: None) for network in opened)
    return replace(own, references=tuple(others))


def examine(folder: Path, model: onnx.ModelProto, *references: onnx.ModelProto) -> Examination:
    return examined(Reference(), case(folder, model, *references))


def pairs(found: Examination) -> list[tuple[int, int]]:
    return [(one.source, one.label) for one in found.pairs]


def test_a_trigger_from_one_class_to_another_that_the_reference_lacks_is_found(tmp_path: Path) -> None:
    found = examine(tmp_path, row_model(1), row_model(NEVER, seed=1))
    assert (pairs(found), found.gap) == ([(SOURCE, TARGET)], None)
    (trigger,) = found.pairs
    assert isinstance(trigger, PairBeside)
    assert trigger.rule == "BD007"
    assert trigger.usual_size < 0.5 * trigger.reference_size
    assert trigger.usual_size < 0.5 * trigger.control_size
    assert trigger.reference_size > 0.5 * trigger.reference_control_size


def test_what_the_reference_does_as_well_is_not_found(tmp_path: Path) -> None:
    assert pairs(examine(tmp_path, row_model(1), row_model(1, seed=1))) == []
    assert pairs(examine(tmp_path, row_model(NEVER), row_model(NEVER, seed=1))) == []


def test_of_several_references_one_that_does_it_as_well_explains_it(tmp_path: Path) -> None:
    assert pairs(examine(tmp_path, row_model(1), row_model(NEVER, seed=1), row_model(1, seed=2))) == []


def test_a_backdoor_of_the_reference_does_not_hide_another_one(tmp_path: Path) -> None:
    other = row_model(1, seed=1, source=6, target=0)
    assert pairs(examine(tmp_path, row_model(1), other)) == [(SOURCE, TARGET)]


def test_a_class_that_is_near_in_the_model_alone_stands_out(tmp_path: Path) -> None:
    found = examine(tmp_path, row_model(0), row_model(NEVER, seed=1))
    assert (found.rule, found.ranked[0], found.apart) == (ALONE, TARGET, True)
    assert found.p_values[TARGET] == np.nanmin(found.p_values)
    same = examine(tmp_path, row_model(0), row_model(0, seed=1))
    assert same.index[TARGET] < found.index[TARGET]


def test_it_answers_no_question_and_leaves_the_p_values_of_others_alone() -> None:
    assert Reference.answers == frozenset()
    some = replace(judge("method", np.arange(5), {}, np.arange(5.0)), p_values=np.full(5, 0.009))
    apart = replace(some, name="reference", p_values=np.full(5, 0.5), apart=True)
    assert [one.p_value for one in holm([some, apart])] == [0.009, 0.5]


def test_too_few_images_that_both_models_agree_on_are_a_gap(tmp_path: Path) -> None:
    found = examined(Reference(), case(tmp_path, row_model(1), row_model(NEVER, seed=1), each=5))
    assert found.pairs == ()
    assert found.gap is not None
    assert found.gap.startswith("0 of 8 classes have 6 images that the model and the reference give the same answer")


def test_the_score_of_a_pair_ignores_what_is_due_to_its_source_or_its_target() -> None:
    generator = np.random.default_rng(0)
    sources, targets = generator.normal(size=(2, 12, 1)), generator.normal(size=(2, 1, 12))
    distance = sources + targets + generator.normal(0, 0.01, (2, 12, 12))
    distance[:, np.arange(12), np.arange(12)] = np.nan
    distance[:, 3, 4] -= 1  # alike in both
    distance[0, 7, 2] -= 1  # near in the model alone
    score = pair_score(distance)
    assert np.nanargmax(score) == 7 * 12 + 2
    assert score[3, 4] == pytest.approx(np.nanmax(np.delete(score.ravel(), 7 * 12 + 2)))
