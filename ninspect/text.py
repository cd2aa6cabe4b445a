"""Texts for people: what came from a file, made safe to show; sizes."""

MOST_CHARACTERS = 4000


def capped(text: str) -> str:
    """The text, without its middle where it is longer than any that a person would read."""
    if len(text) <= MOST_CHARACTERS:
        return text
    half = MOST_CHARACTERS // 2
    return f"{text[:half]} … {len(text) - 2 * half} characters … {text[-half:]}"


def recorded(text: str) -> str:
    """The text as a result keeps it: capped, and proper Unicode, which the name of a file need not be."""
    return capped(text).encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    r"""The text, capped, and with everything that could steer a terminal, or hide in it, made visible.

    Every format shows what came from a file through this, and then escapes what is special in the format: `\u001b` for
    escape.
    """
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in capped(text))


def byte_count(size: int) -> str:
    """`8.0 GiB`, `1.5 MiB`, or `100.0 KiB`; of a few bytes their number."""
    for power, unit in (3, "GiB"), (2, "MiB"), (1, "KiB"):
        if size >= 1024**power:
            return f"{size / 1024**power:,.1f} {unit}"
    return f"{size} byte{'s' * (size != 1)}"


def probability(p: float | None) -> str:
    """`p = 0.02`, or `p < 0.001`."""
    if p is None:
        return "p unknown"
    return f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"
