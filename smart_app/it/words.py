"""Text on a terminal: one harmless spelling for what came from elsewhere (T-28)."""

from __future__ import annotations

import textwrap
import unicodedata

WIDTH = 100
_ODD = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def harmless(text: object, longest: int = 4000) -> str:
    """A value as text without control, direction and other invisible characters, cut to length; line feeds stay."""
    plain = text if isinstance(text, str) else "" if text is None else str(text)
    kept = "".join(
        char if char == "\n" or unicodedata.category(char) not in _ODD else " "
        for char in plain[: longest + 1]
    )
    return kept if len(plain) <= longest else kept[:longest] + "…"


def one_line(text: object, longest: int = 300) -> str:
    """As `harmless`, on one line."""
    return " ".join(harmless(text, longest).split())


def indented(text: str, indent: str = "  ", width: int = WIDTH) -> list[str]:
    """Text folded to a terminal's width, each line indented; paragraphs and lists keep their lines."""
    lines: list[str] = []
    for row in text.split("\n"):
        lines += textwrap.wrap(
            row,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return lines
