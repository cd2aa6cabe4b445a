import pytest

from ninspect.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [N, 3, 8, 8] Größe 標識", "plain [N, 3, 8, 8] Größe 標識"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("two\nlines\r", "two\\u000alines\\u000d"),
        ("\u200bhidden\x00", "\\u200bhidden\\u0000"),
        ("not UTF-8: \udcff", "not UTF-8: \\udcff"),
    ],
)
def test_what_could_steer_a_terminal_is_made_visible(text: str, shown: str) -> None:
    assert printable(text) == shown
