import json
import os
import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninspect.audit.open import asked
from ninspect.errors import UsageError
from ninspect.names import METHODS, QUESTIONS, REQUIRED
from ninspect.requests import (
    AugmentRequest,
    DoctorRequest,
    ExplainRequest,
    InfoRequest,
    PreprocessOptions,
    RepairRequest,
    Request,
    ScanRequest,
    ScreenRequest,
)

MODEL = Path("folder/model.onnx")
EVERYTHING = ScanRequest(
    MODEL,
    Path("images.csv"),
    preprocess=PreprocessOptions(
        file=Path("preprocess.toml"),
        preset="imagenet",
        scale=0.5,
        mean=(0.1, 0.2, 0.3),
        std=2.0,
        layout="NHWC",
        color="bgr",
        size=(12, 13),
        resize="none",
        resize_to=40,
        feed=("meta=0.5",),
    ),
    output="scores",
    class_names=("stop", "go"),
    class_map={"stop": 1},
    classes=(0, 3),
    methods=("neuroninspect", "all-to-all"),
    weights=(1.0, 0.5, 2.0),
    threshold=0.25,
    chained=True,
    reference=(Path("trusted/old.onnx"), Path("other.onnx")),
    reference_preprocess=(Path("old.toml"),),
    images=55,
    alpha=0.05,
    evidence=False,
    require=("every-class",),
    strict=True,
    skip=("one-source",),
    ignore=("GR001",),
    seed=3,
    device="cpu",
    memory=1024,
)
REQUESTS = [
    ScanRequest(MODEL),
    EVERYTHING,
    ScanRequest(Path(os.fsdecode(b"\xff.onnx")), class_names=Path("names.txt"), class_map=Path("map.json")),
    ExplainRequest(MODEL, image=Path("stop.png"), label=3, objective="margin", preprocess=EVERYTHING.preprocess),
    AugmentRequest(MODEL, layout="NCHW", size=(8, 9), output="b", objective="logprob"),
    InfoRequest(MODEL),
    DoctorRequest(),
    RepairRequest(scan=EVERYTHING, result=Path("result.json"), max_drop=0.01, images=500),
    ScreenRequest(model=MODEL, result=Path("result.json"), images=Path("images"), classes=(3,), first=5),
]


def test_the_request_with_everything_leaves_no_default() -> None:
    default = ScanRequest(MODEL)
    for group, usual in ((EVERYTHING, default), (EVERYTHING.preprocess, default.preprocess)):
        same = [f.name for f in fields(group) if getattr(group, f.name) == getattr(usual, f.name)]
        assert same == (["model"] if group is EVERYTHING else [])


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.kind)
def test_a_request_survives_json_and_pickle(request_: Request) -> None:
    text = request_.to_json()
    assert json.loads(text)["kind"] == request_.kind
    assert Request.from_json(text) == type(request_).from_json(text.encode()) == request_
    assert pickle.loads(pickle.dumps(request_)) == request_


@given(
    alpha=st.floats(0.0001, 0.5),
    threshold=st.floats(0, 1),
    images=st.integers(1, 10**6),
    seed=st.integers(0),
    methods=st.lists(st.sampled_from(METHODS)).map(lambda more: ("activated", *more)),
    ignore=st.lists(st.text()).map(tuple),
)
def test_any_values_survive_json(**values: Any) -> None:
    request = ScanRequest(MODEL, **values)
    assert ScanRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is no request"),
        ("[]", "this is no request"),
        ('{"model": "m.onnx"}', "this is no request"),
        ('{"kind": "guess"}', "this is no request"),
        ('{"kind": "scan"}', "a request to scan is wrong in model: "),
        ('{"kind": "scan", "model": "m", "alhpa": 0.1}', "wrong in alhpa: "),
        ('{"kind": "scan", "model": "m", "preprocess": {"colour": "rgb"}}', "wrong in preprocess.colour: "),
        ('{"kind": "scan", "model": "m", "methods": ["magic"]}', "wrong in methods.0: "),
        ('{"kind": "scan", "model": "m", "skip": ["file"]}', "wrong in skip.0: "),
        (
            '{"kind": "scan", "model": "m", "alpha": 0.7}',
            "alpha = 0.7 is out of range; give a number from",
        ),
        ('{"kind": "info", "model": "m"}', "a request to info was given where one to scan is needed"),
    ],
)
def test_json_that_is_no_such_request_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ScanRequest.from_json(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"alpha": float("nan")}, "alpha = nan is out of range"),
        ({"images": 0}, "images = 0 is out of range; give a number at least 1"),
        (
            {"require": ("one-source",), "skip": ("one-source",)},
            "--require one-source and --skip one-source",
        ),
        ({"weights": (1, 1, 1)}, "belong to --method neuroninspect"),
        ({"methods": ("mmbd",), "threshold": 0.4}, "--threshold does not belong to --method mmbd"),
    ],
)
def test_a_request_that_contradicts_itself_cannot_be_made(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ScanRequest(MODEL, **values)


def test_what_is_required_is_the_default_and_more_but_never_what_is_skipped() -> None:
    assert ScanRequest(MODEL).required == set(REQUIRED)
    assert ScanRequest(MODEL, require=("one-source",)).required == set(QUESTIONS)
    assert ScanRequest(MODEL, strict=True).required == set(QUESTIONS)
    assert ScanRequest(MODEL, strict=True, skip=("every-class",)).required == {"file", "one-target", "one-source"}


def test_what_must_be_readable_are_all_paths_and_the_folders_they_need() -> None:
    references = {*EVERYTHING.reference, Path("trusted"), Path("old.toml")}
    files = {Path("images.csv"), Path("preprocess.toml")}
    assert set(EVERYTHING.readable) == {MODEL, MODEL.parent, Path(), *references, *files}
    assert set(ScanRequest(MODEL, Path("a/images")).readable) == {MODEL, MODEL.parent, Path("a/images")}
    explain = ExplainRequest(MODEL, image=Path("stop.png"), label=3)
    assert set(explain.readable) == {MODEL, MODEL.parent, Path("stop.png")}
    assert DoctorRequest().readable == ()


def test_a_gpu_is_for_those_who_run_a_model_on_one() -> None:
    assert [request.gpu for request in REQUESTS] == [True, False, True, True, False, False, True, False, True]


def test_something_about_the_network_is_always_asked() -> None:
    with pytest.raises(UsageError, match="--skip leaves no required question about the network"):
        ScanRequest(MODEL, skip=("one-target", "every-class"))
    assert ScanRequest(MODEL, skip=("one-target", "every-class"), require=("one-source",)).required


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"skip": ("everything",)}, "skip.0"),
        ({"methods": ("magic",)}, "methods.0"),
        ({"ignore": "IM"}, "ignore"),
        ({"preprocess": {"scael": 1}}, "preprocess"),
        ({"seed": "x"}, "seed"),
    ],
)
def test_what_python_gives_is_checked_too(values: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError, match=f"a request to scan is wrong in {where}"):
        ScanRequest(MODEL, **values).checked()


def test_options_beside_a_request_and_unknown_ones_are_refused() -> None:
    for options in ({"alpha": 0.05}, {"samples": "images"}):
        with pytest.raises(UsageError, match="a request says it all"):
            asked(ScanRequest(MODEL), **options)
    with pytest.raises(UsageError, match="scan has no option 'alhpa'"):
        asked(MODEL, alhpa=0.05)


def test_the_preprocessing_within_a_request_is_checked_too() -> None:
    wrong: Any = {"preset": "magic"}
    with pytest.raises(UsageError, match=r"a request to scan is wrong in preprocess\.preset"):
        ScanRequest(MODEL, preprocess=PreprocessOptions(**wrong)).checked()


def test_what_python_gives_may_be_written_simply() -> None:
    simple: Any = {"model": str(MODEL), "skip": ["one-source"], "preprocess": {"scale": 2, "mean": [1, 2, 3]}}
    settings = PreprocessOptions(scale=2.0, mean=(1.0, 2.0, 3.0))
    assert ScanRequest(**simple).checked() == ScanRequest(MODEL, skip=("one-source",), preprocess=settings)


def test_a_reference_is_asked_the_same_with_what_is_said_of_it() -> None:
    alone = EVERYTHING.of_reference(1)
    assert (alone.model, alone.samples, alone.seed) == (Path("other.onnx"), EVERYTHING.samples, EVERYTHING.seed)
    assert alone.preprocess == PreprocessOptions(file=Path("old.toml"))
    assert (alone.reference, alone.reference_preprocess, alone.output) == ((), (), None)


def test_options_of_references_fit_their_number() -> None:
    with pytest.raises(UsageError, match="--reference-preprocess was given 2 for 1 references"):
        ScanRequest(MODEL, Path("a"), reference=(MODEL,), reference_preprocess=(Path("a"), Path("b")))
    with pytest.raises(UsageError, match="--reference compares what two models do on the same images"):
        ScanRequest(MODEL, reference=(MODEL,))
