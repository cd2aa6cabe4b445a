import io

import pytest
from rich.console import Console

from ninspect.report import Result, print_result, text_report
from ninspect.report.checks import checks
from ninspect.report.schema import FindingInfo
from ninspect.report.wording import sentence
from tests.report.examples import (
    BETWEEN,
    DETECTOR,
    MODEL,
    PAIR,
    SAMPLES,
    TARGET,
    TRIGGER,
    TRUTH,
    clean,
    example,
    inconclusive,
    stopped,
)


def table_rows(report: str, title: str = "Classes that stand out most") -> list[list[str]]:
    """The cells of a table of classes."""
    lines = report.splitlines()
    first = next(i for i, line in enumerate(lines) if line.strip() == title)
    start = next(i for i, line in enumerate(lines) if i > first and line.split()[:1] == ["class"]) + 2
    end = next(i for i, line in enumerate(lines) if i > start and not line.strip())
    return [line.split() for line in lines[start:end]]


def test_the_verdict_comes_first_and_the_reason_is_a_sentence() -> None:
    lines = text_report(example()).splitlines()
    assert lines[0] == "SUSPECTED  models/signs.onnx"
    assert lines[1] == "  Class 7 looks like the target of a backdoor. Confidence: high."
    assert lines[2].startswith("  What now (BD001): ")


def test_what_was_not_looked_for_comes_directly_below_the_verdict() -> None:
    lines = text_report(clean()).splitlines()
    assert lines[0] == "CLEAN  models/signs.onnx"
    assert lines[2].startswith("  Triggers for images of one class: not looked for (43 classes, ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("class 7 stands out", "Class 7 stands out."),
        ("ONNX Runtime is too old", "ONNX Runtime is too old."),
        ("self-test failed.", "Self-test failed."),
        ("model.onnx is empty", "model.onnx is empty."),
        ("", "."),
    ],
)
def test_a_sentence_has_a_capital_letter_and_keeps_the_others(text: str, shown: str) -> None:
    assert sentence(text) == shown


def test_advice_that_several_findings_share_is_given_once_and_that_of_open_questions_last() -> None:
    few = [FindingInfo.of(rule, "20 images are too few") for rule in ("IM002", "IM003", "CV002")]
    report = " ".join(text_report(inconclusive(*few)).split())
    assert "What now (IM002): " in report
    assert report.count("What now") == 1
    assert "What now (CV002): " in text_report(inconclusive(few[2]))


def test_a_reason_that_starts_with_a_file_name_keeps_its_letters() -> None:
    assert text_report(stopped("model.onnx is empty")).splitlines()[1] == "  model.onnx is empty."


def test_the_classes_that_stand_out_most_come_with_what_decides() -> None:
    rows = table_rows(text_report(example()))
    assert rows[0] == ["7", "0.0003", "8", "97%", "70", "suspected"]
    assert rows[1] == ["4", "0.2", "–", "–", "–"]
    assert [row[0] for row in rows] == ["7", "4", "9", "8", "0"]  # by falling index where p is the same


def test_the_scores_of_a_method_are_shown_where_details_are_wanted() -> None:
    assert "Method neuroninspect" not in text_report(example())
    rows = table_rows(text_report(example(), details=True), "Method neuroninspect")
    assert rows[0] == ["7", "84.8", "10.0", "15.25", "suspected"]
    assert rows[1] == ["4", "97.6", "10.0", "2.40"]
    assert rows[2] == ["9", "99.1", "10.0", "0.90"]
    assert rows[-1] == ["3", "–", "10.0", "–"]
    assert len(rows) == 10


def test_a_chosen_subset_is_shown_by_class_and_not_by_position() -> None:
    chosen = list(range(20, 30))
    detector = DETECTOR.model_copy(update={"flagged": [27, 24], "targets": [27]})
    rows = table_rows(text_report(example(explained=chosen, targets=[27], detectors=[detector])))
    assert [row[0] for row in rows[:3]] == ["27", "24", "29"]
    assert rows[0][-1] == "suspected"


def test_of_many_classes_the_first_twelve_are_shown() -> None:
    columns = {"score": [0.0] * 43}
    index = [i / 100 for i in range(43)]
    changes = {"index": index, "p_values": [1.0] * 43, "scores": columns, "targets": []}
    detector = DETECTOR.model_copy(update=changes)
    result = example(classes=43, explained=list(range(43)), detectors=[detector], triggers=[])
    *rows, rest = table_rows(text_report(result, details=True), "Method neuroninspect")
    assert [row[0] for row in rows] == [str(42 - i) for i in range(12)]
    assert rest == ["…", "and", "31", "more"]


def test_classes_are_shown_with_their_names_where_these_are_known() -> None:
    rows = table_rows(text_report(example(class_names=[f"sign{i}" for i in range(10)])))
    assert [row[:2] for row in rows[:2]] == [["7", "sign7"], ["4", "sign4"]]


def test_the_index_is_never_shown_without_its_scale() -> None:
    report = " ".join(text_report(example(), details=True).split())
    assert "A clean model with 10 classes exceeds 5.86 with probability 0.01." in report
    easy = DETECTOR.model_copy(update={"easy": [4], "critical_index_easy": 7.5})
    report = " ".join(text_report(example(detectors=[easy]), details=True).split())
    assert "exceeds 5.86, or 7.50 with a class that is easy by nature, with probability 0.01." in report
    without = DETECTOR.model_copy(update={"critical_index": None, "p_value": None})
    assert "The index has no meaning here." in text_report(example(detectors=[without]), details=True)


def test_the_conditions_of_the_scan_are_shown() -> None:
    report = text_report(example(findings=[TARGET, FindingInfo.of("IM004", "3 unreadable images were skipped")]))
    for fact in (
        "pytorch 2.13, opset 17, 10 classes",
        "input 'images' [N, 3, 32, 32] NCHW, logits 'logits'",
        "sha256 " + "ab" * 32,
        "gradient   exact",
        "50 from images/ (imagefolder), clean accuracy 97.3%",
        "(pixel · 0.003922 − [0.4, 0.5, 0.6]) / 0.25, from preprocess.toml",
        "relative errors: scores 1.0e-07, gradient 1.2e-02",
        "CPU, seed 0, 2.2 s",
        "Note: 3 unreadable images were skipped (IM004).",
    ):
        assert fact in report


def test_a_scan_that_stopped_early_shows_what_it_knows() -> None:
    lines = text_report(stopped("the file is empty")).splitlines()
    assert lines[:2] == ["INCONCLUSIVE  models/signs.onnx", "  The file is empty."]
    facts = {line.split()[0] for line in lines[2:] if line.startswith("  ")}
    assert {"date", "run", "sandbox"} <= facts
    assert not {"model", "gradient", "images", "self-test"} & facts
    assert not any("sha256" in line for line in lines)


def test_a_truth_test_without_a_number_says_so() -> None:
    failed = TRUTH[1].model_copy(update={"error": None, "passed": False})
    assert "gradient not a number" in text_report(example(truth_tests=[failed]))


HOSTILE = "\x1b[31m\u202e[/] [red]x[/red]\n"
SHOWN = "\\u001b[31m\\u202e[/] [red]x[/red]\\u000a"


@pytest.mark.parametrize(
    "result",
    [
        example(reason=HOSTILE),
        example(model=MODEL.model_copy(update={"path": HOSTILE})),
        example(model=MODEL.model_copy(update={"producer": HOSTILE})),
        example(model=MODEL.model_copy(update={"input": HOSTILE})),
        example(model=MODEL.model_copy(update={"logits": HOSTILE})),
        example(samples=SAMPLES.model_copy(update={"source": HOSTILE})),
        example(findings=[TARGET, FindingInfo.of("IM004", HOSTILE)]),
        example(findings=[TARGET, FindingInfo.of("IN003", "one name twice", nodes=[HOSTILE])]),
        stopped(HOSTILE),
        example(class_names=[HOSTILE] * 10),
    ],
    ids=["reason", "path", "producer", "input", "logits", "samples", "note", "node", "stopped", "class name"],
)
def test_text_from_files_is_shown_and_never_obeyed(result: Result) -> None:
    report = text_report(result)
    assert SHOWN in report
    assert "\x1b" not in report
    terminal = io.StringIO()
    print_result(result, Console(file=terminal, force_terminal=True, width=200))
    assert SHOWN in terminal.getvalue()


def test_plain_text_is_plain_wherever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = text_report(example())
    assert "\x1b" not in expected
    monkeypatch.setenv("FORCE_COLOR", "1")  # as continuous integration sets it
    monkeypatch.setenv("COLUMNS", "40")
    assert text_report(example()) == expected


def test_a_narrow_terminal_loses_columns_and_no_digits() -> None:
    narrow = io.StringIO()
    print_result(example(), Console(file=narrow, width=60), details=True)
    assert "15.25" in narrow.getvalue()
    assert "suspected" in narrow.getvalue()
    assert "…" not in narrow.getvalue()
    assert "sparse" not in narrow.getvalue()


def test_a_terminal_gets_colour() -> None:
    terminal = io.StringIO()
    print_result(example(), Console(file=terminal, force_terminal=True, color_system="standard", width=110))
    assert "\x1b[1;31mSUSPECTED" in terminal.getvalue()


def test_triggers_of_classes_that_do_not_stand_out_take_one_line() -> None:
    large = TRIGGER.model_copy(update={"label": 2, "size": 60.0, "convincing": False})
    report = " ".join(text_report(example(triggers=[TRIGGER, large])).split())
    assert "Evidence for class 7: the smallest trigger found covers 8.5 pixels and sends 97% of 32 other" in report
    assert "Evidence for class 2" not in report
    assert "2 1 60 97% 70 " in report


def test_a_trigger_from_one_class_to_another_is_shown_though_nothing_is_suspected() -> None:
    result = inconclusive(BETWEEN, pairs=[PAIR])
    report = " ".join(text_report(result).split())
    assert "Evidence for class 7 from class 3: the smallest trigger found covers 8.5 pixels" in report
    assert "sends 97% of 32 other images of class 3 there; other pairs of classes need 69.7 pixels" in report
    assert "not convincing" not in report
    outcomes = {check.name: check.outcome for check in checks(result)}
    assert outcomes["question: one-source"] == outcomes["finding: BD004"] == "inconclusive"
