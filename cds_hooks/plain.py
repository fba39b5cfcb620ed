"""Chart text made safe for a card: plain words in any renderer, Markdown, HTML or none (hazard H-48).

Characters are replaced rather than escaped, so that a client that shows the source sees no backslashes, and
nothing of clinical meaning is lost: `<5 %`, `CD19-`, `t(9;22)` stay as charted.
"""

from __future__ import annotations

import re
import unicodedata

_WEB = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]{1,12}:/+|www\.|javascript:|data:[a-z]+/)\S*")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY = re.compile(r"&(?=#|[A-Za-z])")
_LONE_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_SWAP = str.maketrans({"*": "∗", "`": "'", "[": "(", "]": ")", "|": "/", "~": "∼", "\\": "/"})
_SAFE = re.compile(r"[A-Za-z0-9 ,.;()+'/%-]*\Z")
_SPACES = frozenset("\t\n\r\v\f")


def plain(text: str, cap: int = 120) -> str:
    """One line of harmless text: no control or direction characters, markup, address; at most `cap` long."""
    if len(text) <= cap and _SAFE.match(text) and "www." not in text.lower():
        return " ".join(text.split())
    shown = "".join(
        " " if char in _SPACES or unicodedata.category(char) in ("Zs", "Zl", "Zp") else char
        for char in text[: cap * 8]
        if char in _SPACES or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    shown = _WEB.sub("(address left out)", shown)
    shown = _ENTITY.sub("& ", _TAG.sub("‹", shown)).translate(_SWAP)
    shown = _LONE_UNDERSCORE.sub(" ", shown).replace("@", " at ")
    shown = " ".join(shown.split())
    return shown if len(shown) <= cap else shown[: cap - 1].rstrip() + "…"


def sentence(text: str, cap: int = 160) -> str:
    """`plain` text that ends in exactly one full stop, so that it still reads when line breaks are lost."""
    shown = plain(text, cap).rstrip(" .;,:")
    return shown + "." if shown else ""


def upper_first(text: str) -> str:
    """The text with a capital first letter, the rest untouched."""
    return text[:1].upper() + text[1:]


def all_of(names: list[str]) -> str:
    """Names as a sentence has them: `CD19, CD20 and CD22`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part) if names else ""


def listed(names: list[str]) -> str:
    """Names joined by commas, each once, in the order given."""
    return ", ".join(dict.fromkeys(names))
