"""RTF to text: one pass over its tokens with a stack of groups, no recursion (rules 11.15)."""

from __future__ import annotations

import re
from typing import NamedTuple

from mappings.reading.attachments.rows import Rows, names

_TOKEN = re.compile(
    r"\\(?:(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})?[ ]?"
    r"|'(?P<byte>[0-9a-fA-F]{2})|(?P<symbol>[^a-zA-Z]))"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]++)|(?P<eol>[\r\n]++)|(?P<rest>\\)"
)
_SKIPPED = names(
    "fonttbl colortbl stylesheet info pict objdata header headerl headerr headerf footer"
    " footerl footerr footerf fldinst listtable listoverridetable listtext pntext revtbl rsidtbl"
    " generator themedata datastore xmlnstbl nonshppict filetbl tc xe"
)
_LINE = names("par line sect page column softline")
_CHARACTERS = {
    "tab": "\t",
    "emdash": "\u2014",
    "endash": "\u2013",
    "bullet": "\u2022",
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "\u201c",
    "rdblquote": "\u201d",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
}
_SYMBOLS = {"~": " ", "_": "-", "\\": "\\", "{": "{", "}": "}", "-": ""}
_HIDING = frozenset({"v", "strike", "striked", "deleted"})
_CODE_PAGES = {437: "cp437", 850: "cp850", 932: "cp932", 10000: "mac-roman", 65001: "utf-8"}


def looks_like_rtf(text: str) -> bool:
    """Whether a comment or attachment is RTF: some systems send comments that way."""
    return text[:64].lstrip("\ufeff \t\r\n").startswith("{\\rtf")


def rtf_text(text: str) -> str:
    """The text of an RTF comment; any other text comes back unchanged."""
    return rtf_to_text(text, len(text) + 1)[0] if looks_like_rtf(text) else text


def rtf_to_text(source: str, cap: int) -> tuple[str, bool]:
    """Text of an RTF source and whether it was cut at `cap` characters."""
    walk = _Walk(source, cap)
    walk.run()
    text = walk.rows.result()
    if any("\ud800" <= letter <= "\udfff" for letter in text):  # two \\u halves make one character
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text, walk.rows.cut


class _Group(NamedTuple):
    skip: bool = False
    hidden: bool = False
    fallback: int = 1  # characters that follow each \\u for old readers


_SKIP = _Group(skip=True)


class _Walk:
    __slots__ = (
        "_bytes",
        "_codepage",
        "_group",
        "_owed",
        "_row_open",
        "_source",
        "_stack",
        "_starting",
        "rows",
    )

    def __init__(self, source: str, cap: int) -> None:
        self.rows = Rows(cap)
        self._source = source
        self._group = _Group()
        self._stack: list[_Group] = []
        self._codepage = "cp1252"
        self._bytes = bytearray()
        self._owed = 0
        self._starting = False
        self._row_open = False

    def run(self) -> None:
        source, at = self._source, 0
        while at < len(source) and not self.rows.cut:
            token = _TOKEN.match(source, at)
            if token is None:
                at += 1
                continue
            at = token.end()
            if token["byte"] is None:
                self._flush()
            if token["word"] == "bin":  # raw bytes follow, whatever they look like
                at += max(0, int(token["number"] or 0))
            elif token["text"] is not None:
                self._text(token["text"])
            elif token["brace"]:
                self._brace(token["brace"])
            elif token["byte"] is not None:
                self._byte(int(token["byte"], 16))
            elif token["word"]:
                self._word(token["word"], token["number"])
            elif token["symbol"]:
                self._symbol(token["symbol"])
        self._flush()

    def _brace(self, brace: str) -> None:
        self._owed = 0
        if brace == "{":
            self._stack.append(self._group)
            self._starting = True
        elif self._stack:
            self._group = self._stack.pop()

    def _text(self, piece: str) -> None:
        self._starting = False
        if self._owed:
            taken = min(self._owed, len(piece))
            self._owed -= taken
            piece = piece[taken:]
        self._write(piece)

    def _byte(self, value: int) -> None:
        if self._owed:
            self._owed -= 1
        elif not self._group.skip:
            self._bytes.append(value)

    def _flush(self) -> None:
        if self._bytes:
            self._write(bytes(self._bytes).decode(self._codepage, "replace"))
            self._bytes.clear()

    def _write(self, piece: str) -> None:
        if piece and not (self._group.skip or self._group.hidden):
            self.rows.text(piece)

    def _symbol(self, symbol: str) -> None:
        if symbol == "*" and self._starting:
            self._group = _SKIP
        elif self._owed:
            self._owed -= 1
        elif symbol in "\r\n":
            self._line_end()
        else:
            self._write(_SYMBOLS.get(symbol, ""))

    def _word(self, word: str, number: str | None) -> None:
        first, self._starting = self._starting, False
        if first and word in _SKIPPED:
            self._group = _SKIP
        elif word == "u" and number is not None:
            self._owed = self._group.fallback
            code = int(number) % 65536
            self._write(chr(code))
        elif word == "uc":
            self._group = _Group(self._group.skip, self._group.hidden, min(max(0, int(number or 1)), 16))
        elif word == "ansicpg":
            self._codepage = _code_page(int(number or 1252))
        elif word == "mac":
            self._codepage = "mac-roman"
        elif word in _HIDING:
            self._group = _Group(self._group.skip, number != "0", self._group.fallback)
        elif word == "plain":
            self._group = _Group(self._group.skip, False, self._group.fallback)
        elif word in _CHARACTERS:
            self._write(_CHARACTERS[word])
        elif not self._group.skip:
            self._structure(word)

    def _structure(self, word: str) -> None:
        if word in _LINE:
            self._line_end()
        elif word == "trowd" and not self._row_open:
            self.rows.open_row()
            self.rows.open_cell()
            self._row_open = True
        elif word in {"cell", "nestcell"}:
            if not self._row_open:  # rows after the first may lack a definition of their own
                first = self.rows.take_line()
                self.rows.open_row()
                self.rows.open_cell()
                self.rows.text(first)
                self._row_open = True
            self.rows.open_cell()
        elif word in {"row", "nestrow"} and self._row_open:
            self.rows.close_table()
            self._row_open = False

    def _line_end(self) -> None:
        if not self._group.skip:
            self.rows.line_end() if self.rows.in_table else self.rows.text("\n")


def _code_page(number: int) -> str:
    if number in _CODE_PAGES:
        return _CODE_PAGES[number]
    return f"cp{number}" if 1250 <= number <= 1258 or number in {852, 866, 874} else "cp1252"
