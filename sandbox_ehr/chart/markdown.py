"""Card details as HTML: paragraphs, lists and bold of GitHub's Markdown, everything else as the text it is."""

from __future__ import annotations

import html
import re

from markupsafe import Markup, escape

_ITEM = re.compile(r"\s{0,3}(?:[-*+]|\d{1,3}[.)])\s+(.*)")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_BOLD = re.compile(r"(?<!\\)\*\*(?=\S)(.+?)(?<=\S)(?<!\\)\*\*")


def render_markdown(text: str) -> Markup:
    """Safe HTML of a card's detail. Nothing of the text is ever taken as a tag, an address or an image."""
    parts: list[Markup] = []
    lines: list[str] = []
    items: list[str] = []

    def close_paragraph() -> None:
        if lines:
            parts.append(Markup("<p>{}</p>").format(_inline(" ".join(lines))))
            lines.clear()

    def close_list() -> None:
        if items:
            rows = Markup("").join(Markup("<li>{}</li>").format(_inline(one)) for one in items)
            parts.append(Markup("<ul>{}</ul>").format(rows))
            items.clear()

    for line in text.splitlines():
        match = _ITEM.match(line)
        if match:
            close_paragraph()
            items.append(match[1])
        elif not line.strip():
            close_paragraph()
            close_list()
        elif items:
            items[-1] += f" {line.strip()}"
        else:
            lines.append(line.strip())
    close_paragraph()
    close_list()
    return Markup("\n").join(parts)


def _inline(text: str) -> Markup:
    parts: list[Markup] = []
    last = 0
    for match in _BOLD.finditer(text):
        parts.append(_plain(text[last : match.start()]))
        parts.append(Markup("<strong>{}</strong>").format(_plain(match[1])))
        last = match.end()
    parts.append(_plain(text[last:]))
    return Markup("").join(parts)


def _plain(text: str) -> Markup:
    return escape(html.unescape(_ESCAPED.sub(r"\1", text)))
