"""Text that came from a file, made safe to show."""


def printable(text: str) -> str:
    r"""The text with everything that could steer a terminal, or hide in it, made visible: `\u001b` for escape."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
