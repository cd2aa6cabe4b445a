import pytest

from ninspect.text import MOST_CHARACTERS, byte_count, printable


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


def test_a_name_of_megabytes_loses_its_middle() -> None:
    shown = printable("a" * 3_000_000 + "b")
    assert len(shown) < MOST_CHARACTERS + 50
    assert shown.endswith("ab")
    assert f" … {3_000_001 - MOST_CHARACTERS} characters … " in shown


@pytest.mark.parametrize(("size", "shown"), [(1, "1 byte"), (900, "900 bytes"), (2**20 * 3 // 2, "1.5 MiB")])
def test_a_size_has_the_unit_that_shows_it(size: int, shown: str) -> None:
    assert byte_count(size) == shown
