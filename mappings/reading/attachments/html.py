"""HTML to text: one pass, no recursion, a bare less-than sign stays text (rules 11.15)."""

from __future__ import annotations

import html as entities
import re

from mappings.reading.attachments.rows import Rows, names

_TOKEN = re.compile(
    r"<(?:(?P<close>/)?(?P<name>[a-zA-Z][a-zA-Z0-9:._-]{0,40})"
    r"(?P<attributes>(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+[^<>]*+)>"
    r"|(?P<comment>!--)|(?P<declaration>[!?][^<>]{0,2000}+>))"
)
_BLOCK = names(
    "address article aside blockquote body br caption center dd details div dl dt fieldset figure footer"
    " form h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol p pre section summary title ul"
)
_PARAGRAPH = names("p h1 h2 h3 h4 h5 h6 blockquote pre")
_TABLE = names("table thead tbody tfoot tr td th colgroup col")
_INLINE = names(
    "a abbr acronym b bdi bdo big button cite code data del dfn em font head i img input ins kbd label link"
    " map mark meta object optgroup option output q s samp select small span strike strong sub sup textarea"
    " time tt u var wbr base area picture source center ruby rt rp noscript"
)
# What a reader of the page never sees; struck-out words were withdrawn by their author.
_DROPPED = names("script style template svg del s strike title head")
_RAW = names("script style template svg title")
_KNOWN = _BLOCK | _TABLE | _INLINE | _DROPPED
_ATTRIBUTE_LIKE = re.compile(r"\s*+/?\s*+\Z|[^<>=]*+=")
_HUGE_ENTITY = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}+;?")
_TWICE = re.compile(r"&(?:lt|gt|amp|nbsp|quot|apos|#39);")
_SPAN = re.compile(r"\b(colspan|rowspan)\s{0,9}=\s{0,9}[\"']?\s{0,9}(\d{1,4})", re.IGNORECASE)
_VALUE = re.compile(r"\bvalue\s{0,9}=\s{0,9}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_INPUT_TYPE = re.compile(r"\btype\s{0,9}=\s{0,9}[\"']?\s{0,9}([a-z]{1,20})", re.IGNORECASE)
_HIDDEN = re.compile(
    r"display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden|\bhidden\b(?!\s{0,9}=\s{0,9}[\"']?false)",
    re.I,
)
_SPACES = re.compile(r"[ \t\r\n\f\v]+")
_VOID = names("br hr img input link meta base area col source wbr")
_STRUCTURE = re.compile(r"<(?:p|br|div|tr|td|li|h[1-6]|table|pre|section|body|dd|dt)\b[^<>]{0,500}>", re.I)
_DOCUMENT = re.compile(
    r"\s*+(?:<\?xml[^<>]{0,500}+>\s*+)?<(?:!doctype\s++html|html\b|body\b|head\b|div\b|p\b|table\b)", re.I
)


def looks_like_html(text: str) -> bool:
    """Whether a text that is not labelled HTML begins like an HTML document or fragment."""
    return _DOCUMENT.match(text, 0, 4000) is not None


def html_text(fragment: str) -> str:
    """The text of HTML inside a value or conclusion; a text without tags keeps its line ends."""
    if "<" not in fragment and "&" not in fragment:
        return fragment
    return html_to_text(fragment, len(fragment) + 1)[0]


def html_to_text(source: str, cap: int) -> tuple[str, bool]:
    """Text of an HTML source and whether it was cut at `cap` characters."""
    walk = _Walk(source, cap)
    walk.run()
    return walk.rows.result(), walk.rows.cut


class _Walk:
    __slots__ = (
        "_at",
        "_comments_end",
        "_drop_depth",
        "_drop_name",
        "_keep_lines",
        "_lower",
        "_pre",
        "_source",
        "_spaced",
        "rows",
    )

    def __init__(self, source: str, cap: int) -> None:
        self.rows = Rows(cap)
        self._source = source
        self._lower = ""
        self._at = 0
        self._comments_end = False
        self._drop_name = ""
        self._drop_depth = 0
        self._pre = 0
        self._spaced = False
        # Without a single block tag the line ends of the source are its only structure.
        self._keep_lines = _STRUCTURE.search(source) is None

    def run(self) -> None:
        source = self._source
        while not self.rows.cut:
            less = source.find("<", self._at)
            if less < 0:
                self._text(source[self._at :])
                return
            token = _TOKEN.match(source, less)
            if less > self._at:
                self._text(source[self._at : less])
            self._at = less
            if token is None or not self._markup(token):
                self._text("<")
                self._at = less + 1

    def _markup(self, token: re.Match[str]) -> bool:
        """Acts on a tag, comment or declaration; False where it is text after all."""
        if token["comment"]:
            end = -1 if self._comments_end else self._source.find("-->", token.end())
            self._comments_end = end < 0
            self._at = token.end() if end < 0 else end + 3
            return True
        self._at = token.end()
        if token["declaration"]:
            return True
        name, attributes = token["name"].lower(), token["attributes"]
        prefix, _, local = name.rpartition(":")
        if prefix not in {"", "html", "xhtml", "h"}:
            return True  # an office program's own tag
        if local not in _KNOWN and not _ATTRIBUTE_LIKE.match(attributes):
            return False  # "<LOD, ratio >2" is a value, not a tag
        if token["close"]:
            self._close(local)
        else:
            self._open(local, attributes, attributes.rstrip().endswith("/"))
        return True

    def _open(self, name: str, attributes: str, self_closed: bool) -> None:
        if self._drop_name:
            self._drop_depth += name == self._drop_name and not self_closed
            return
        hides = name in _DROPPED or (
            attributes and name != "input" and _HIDDEN.search(attributes) is not None
        )
        if hides and name not in _VOID and not self_closed:
            self._drop(name)
            return
        if name in _TABLE:
            self._table(name, attributes)
        elif name in _BLOCK:
            self._block(name)
            self._pre += name == "pre"
        elif name == "input":
            self._input(attributes)
        elif name == "option":
            self._mark(re.search(r"\bselected\b", attributes, re.I) is not None)

    def _close(self, name: str) -> None:
        if self._drop_name:
            if name == self._drop_name:
                self._drop_depth -= 1
                if not self._drop_depth:
                    self._drop_name = ""
            return
        if name == "table":
            self.rows.close_table()
        elif name in {"td", "th"}:
            self.rows.close_cell()
        elif name in {"tr", "thead", "tbody", "tfoot"}:
            self.rows.close_row()
        elif name in _BLOCK:
            self._block(name)
            self._pre = max(0, self._pre - (name == "pre"))

    def _drop(self, name: str) -> None:
        if name not in _RAW:
            if name != "head":
                self._drop_name, self._drop_depth = name, 1
            return
        # Contents of script and style are not markup: go to the closing tag, or to the end.
        self._lower = self._lower or self._source.lower()
        end = self._lower.find("</" + name, self._at)
        close = self._source.find(">", end) if end >= 0 else -1
        self._at = close + 1 if close >= 0 else len(self._source)

    def _table(self, name: str, attributes: str) -> None:
        if name == "table":
            self.rows.open_table()
        elif name == "tr":
            self.rows.open_row()
        elif name in {"td", "th"}:
            spans = {key.lower(): int(value) for key, value in _SPAN.findall(attributes)}
            self.rows.open_cell(spans.get("colspan", 1), spans.get("rowspan", 1))

    def _block(self, name: str) -> None:
        if name in _PARAGRAPH:
            self.rows.blank_line()
        else:
            self.rows.line_end()

    def _input(self, attributes: str) -> None:
        found = _INPUT_TYPE.search(attributes)
        kind = found[1].lower() if found else "text"
        if kind in {"checkbox", "radio"}:
            self._mark(re.search(r"\bchecked\b", attributes, re.I) is not None)
        elif kind in {"text", "number", "date"} and (value := _VALUE.search(attributes)):
            self.rows.text(_decoded(value[1] or value[2] or value[3] or ""))

    def _mark(self, chosen: bool) -> None:
        lead = "" if self._spaced else " "
        self.rows.text(f"{lead}[x] " if chosen else f"{lead}[ ] ")
        self._spaced = True

    def _text(self, piece: str) -> None:
        if not piece or self._drop_name:
            return
        text = _decoded(piece) if "&" in piece else piece
        if self._pre or self._keep_lines:
            for nth, line in enumerate(text.split("\n")):
                if nth:
                    self._hard_line()
                if line:
                    self.rows.text(line.replace("\r", "").replace("\u00a0", " "))
        else:
            text = _SPACES.sub(" ", text.replace("\u00a0", " "))
            self.rows.text(text[1:] if self._spaced and text[:1] == " " else text)
            self._spaced = text[-1:] == " "

    def _hard_line(self) -> None:
        if self.rows.in_table:
            self.rows.line_end()
        else:
            self.rows.text("\n")


def _decoded(piece: str) -> str:
    """Entities decoded; a second time for those few that interfaces escape twice."""
    text = entities.unescape(_HUGE_ENTITY.sub("\ufffd", piece))
    return entities.unescape(text) if _TWICE.search(text) else text
