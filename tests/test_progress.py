from ninspect.progress import Lines, title


def test_a_log_says_the_step_and_never_an_absurd_speed() -> None:
    said: list[str] = []
    lines = Lines(said.append, seconds=0)
    lines.advance(0, 0)
    lines.step(2, ["activated", "evidence"])
    lines.advance(250, 1000)
    assert said == ["step 2 of 2, searching for triggers: 25%"]  # too early to tell how long


def test_a_log_says_how_long_the_scan_will_go_on() -> None:
    said: list[str] = []
    lines = Lines(said.append, seconds=0)
    lines.step(1, ["activated", "evidence"])
    lines._estimate._first -= 30
    lines.step(2, ["activated", "evidence"])  # 4.5 times as long as the first
    lines.advance(500, 1000)
    assert said == ["step 2 of 2, searching for triggers: 50%, about 21 s left"]  # 30 s · 2.25 / (1 + 2.25)


def test_of_a_method_whose_effort_is_not_known_only_the_step_is_estimated() -> None:
    said: list[str] = []
    lines = Lines(said.append, seconds=0)
    lines.step(1, ["mine", "evidence"])
    lines._estimate._start -= 30
    lines.advance(250, 1000)
    assert said == ["step 1 of 2, mine: 25%, about 90 s left in this step"]


def test_a_step_without_a_name_has_that_of_its_detector_and_nothing_steers_the_terminal() -> None:
    assert title(1, 2, "mine\x1b") == "step 1 of 2, mine\\u001b"
    assert title(1, 1, "models") == "scanning models"


def test_what_is_foreseen_is_said_at_once() -> None:
    said: list[str] = []
    Lines(said.append).say("3 classes\x1b are too few")
    assert said == ["3 classes\\u001b are too few"]
