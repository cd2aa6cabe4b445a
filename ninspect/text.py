"""Texts for people: what came from a file, made safe to show; sizes."""


def printable(text: str) -> str:
    r"""The text with everything that could steer a terminal, or hide in it, made visible: `\u001b` for escape."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def byte_count(size: int) -> str:
    """`8.0 GiB`, or `1.5 MiB`."""
    return f"{size / 1024**3:,.1f} GiB" if size >= 1024**3 else f"{size / 1024**2:,.1f} MiB"
