"""Tables in report text: rows of markers under column heads, and rows of populations under marker heads (rule 12)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mappings.reading.report.layout import meaning_value
from mappings.reading.report.model import Claim
from mappings.reading.report.tokens import Scanner, Token
from mappings.reading.report.words import Policy, Words

_RULE = re.compile(r"[\s|+\-_=─━═┌┐└┘├┤┬┴┼*.]*$")
_GAPS = re.compile(r"[ ]{2,}|\t+")
_DATE = re.compile(
    r"(?:(\d{1,2})[./-])?(?:(\d{1,2})[./-])?((?:19|20)\d\d)(?:-(\d{1,2}))?(?:-(\d{1,2}))?"
    r"|\b(\d{1,2})[./-](\d{1,2})[./-](\d{2})\b"
)
_DATA = re.compile(r"[<>]?\s*\d+(?:[.,]\d+)?\s*%?|[+-]{1,4}|±|n/?a|nd", re.IGNORECASE)
_BARE = re.compile(r"(?:s|c|cy|m)?CD\d{1,3}[a-zA-Z]?[ ]?(?:\(?%\)?)?", re.IGNORECASE)
_MONTHS = re.compile(
    r"\b(\d{1,2})[ .]{1,2}(jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec"
    r"|dez)[a-zé]{0,7}\.?[ ](?:(?:19|20)\d\d|\d\d\b)",
    re.IGNORECASE,
)
_MARK = re.compile(r"\((?:\d|\*)\)$|\*{1,2}$|[¹²³†‡]$")
_TICK = re.compile(r"[(\[][ ]{0,3}[xX✓✔]?[ ]{0,3}[)\]]|[☐☑☒✓✔xX□■]|")
_TICKED = re.compile(r"[(\[][ ]?[xX✓✔][ ]?[)\]]|[☑☒✓✔xX■]")
_COUNTS = re.compile(r"/[uµμ]l\b|\babs\b|cells/|10\^?9/l|\bsubsets?\b", re.IGNORECASE)
_SHARE = re.compile(r"[<>]?[ ]?(?:100|\d{1,2})(?:[.,]\d+)?[ ]?%?")
_MARKER_CELL = re.compile(
    r"[^\w]{0,4}(?:\d{1,2}[.)] )?(?:anti-|s|c|cy|m)?CD(\d{1,3})[a-zA-Z]{0,2}(?!\d)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text and where it stands."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Column:
    """One column: what its head says it holds."""

    role: str
    start: int
    end: int
    when: tuple[int, ...] = ()
    text: str = ""
    method: str = ""


@dataclass(slots=True)
class TableReading:
    """Claims made by tables and the stretches of text they used up."""

    claims: list[Claim] = field(default_factory=list)
    used: list[tuple[int, int]] = field(default_factory=list)


def cells_of(text: str, start: int) -> list[Cell]:
    """The cells of one line, by bars, tabs or wide gaps."""
    out: list[Cell] = []
    if "|" in text:
        at = 0
        for part in text.split("|"):
            lead = len(part) - len(part.lstrip())
            out.append(Cell(part.strip(), start + at + lead, start + at + len(part.rstrip())))
            at += len(part) + 1
        while out and not out[0].text:
            out.pop(0)
        if out and not out[-1].text and text.rstrip().endswith("|"):
            out.pop()
        return out
    if text.count(";") >= 2 and "; " not in text and "\t" not in text:
        return cells_of(text.replace(";", "|"), start)
    at = 0
    for gap in [*_GAPS.finditer(text), None]:
        stop = gap.start() if gap else len(text)
        part = text[at:stop].strip()
        if part:
            lead = at + len(text[at:stop]) - len(text[at:stop].lstrip())
            out.append(Cell(part, start + lead, start + lead + len(part)))
        at = gap.end() if gap else stop
    return out


def read_tables(text: str, words: Words, legend: dict[str, str]) -> TableReading:
    """All tables of a text."""
    out = TableReading()
    offset, block = 0, []
    for line in [*text.split("\n"), ""]:
        cells = [] if _RULE.fullmatch(line[:300]) else cells_of(line, offset)
        if len(cells) >= 2:
            block.append((offset, line, cells))
        elif (line.strip() and not _RULE.fullmatch(line[:300])) or (
            not line.strip() and not (block and "|" in block[-1][1] and offset < len(text))
        ):
            if len(block) >= 2:
                _block(block, text, words, legend, out)
            block = []
        offset += len(line) + 1
    return out


def _is_marker(cell: Cell) -> str:
    match = _MARKER_CELL.match(cell.text)
    return match.group(1) if match else ""


def _block(
    block: list[tuple[int, str, list[Cell]]],
    text: str,
    words: Words,
    legend: dict[str, str],
    out: TableReading,
) -> None:
    block = _marker_first(block)
    marked = [bool(_is_marker(cells[0])) for _, _, cells in block]
    if any(_COUNTS.search(" ".join(c.text for c in cells)) for _, _, cells in block[:3]):
        _counted(block, words, out)
        return
    wide = [
        sum(1 for c in cells[1:] if _BARE.fullmatch(c.text))
        if not any(_is_marker(c) and not _BARE.fullmatch(c.text) for c in cells[1:])
        else 0
        for _, _, cells in block
    ]
    if max(wide) >= 2 and not marked[wide.index(max(wide))]:
        _transposed(block, wide.index(max(wide)), words, legend, out)
        return
    if True not in marked:
        return
    top = marked.index(True)
    if top == 0:
        return
    heads = [i for i in reversed(range(top)) if not any(_DATA.fullmatch(c.text) for c in block[i][2])]
    headed = next((i for i in heads if _telling(block[i][2], words)), heads[0] if heads else top - 1)
    block = [block[headed], *block[top:]]
    top = 1
    head = block[top - 1][2]
    columns = [_column(c, words) for c in head]
    barred = "|" in block[top - 1][1]
    if (not barred and len(head) == len(block[top][2]) - 1) or (
        not barred and head[0].start - block[top - 1][0] >= block[top][2][0].end - block[top][0]
    ):
        columns.insert(0, Column("marker", block[top][2][0].start - block[top][0], 0))
    else:
        columns[0].role, columns[0].text = "marker", head[0].text
        for column in columns:
            column.start -= block[top - 1][0]
            column.end -= block[top - 1][0]
        columns[0].start = 0
        _rows(block, top, columns, barred, words, legend, out, text)
        return
    for column in columns[1:]:
        column.start -= block[top - 1][0]
        column.end -= block[top - 1][0]
    _rows(block, top, columns, barred and len(head) == len(block[top][2]), words, legend, out, text)


def _marker_first(block: list[tuple[int, str, list[Cell]]]) -> list[tuple[int, str, list[Cell]]]:
    """Barred rows with the marker in a later column, turned so that it stands first."""
    widest = min(len(cells) for _, _, cells in block)
    if any("|" not in line and ";" not in line for _, line, _ in block):
        return block
    for at in range(1, widest):
        count = sum(bool(_is_marker(cells[at])) for _, _, cells in block)
        if (
            count * 2 >= len(block)
            and not any(_is_marker(c) for _, _, cells in block for c in cells[:at])
            and count >= 2
        ):
            return [
                (offset, line.replace(";", "|"), [cells[at], *cells[:at], *cells[at + 1 :]])
                for offset, line, cells in block
            ]
    return block


def _counted(block: list[tuple[int, str, list[Cell]]], words: Words, out: TableReading) -> None:
    """A table of cell counts names antigens but says nothing of the tumour (rules 4)."""
    for offset, line, cells in block:
        antigen = words.numbers.get(_is_marker(cells[0]), "")
        if _is_marker(cells[0]):
            out.used.append((offset, offset + len(line)))
        if antigen:
            out.claims.append(
                Claim(
                    antigen,
                    "unk",
                    cells[0].start,
                    cells[0].end,
                    reason="count",
                    order=cells[0].start,
                    mention=True,
                )
            )


def _telling(cells: list[Cell], words: Words) -> bool:
    """Whether a row reads like a head: at least one cell whose role is known and that is no mere diagnosis."""
    if len(cells) > 2 and len({c.text for c in cells[1:]}) == 1:
        return False
    return any(
        _column(c, words).role not in ("", "marker") and words.table.get(c.text.lower()) != "dx"
        for c in cells[1:]
    )


def _rows(
    block: list[tuple[int, str, list[Cell]]],
    top: int,
    columns: list[Column],
    barred: bool,
    words: Words,
    legend: dict[str, str],
    out: TableReading,
    text: str,
) -> None:
    wanted = _wanted(columns)
    if wanted is None:
        if len({meaning_value(c.text, words) for c in columns[1:]} - {""}) < 2:
            return
        wanted = list(range(1, len(columns)))
    numeric = _numeric(block[top:])
    for offset, line, cells in block[top:]:
        number = _is_marker(cells[0])
        if not number:
            continue
        out.used.append((offset, offset + len(line)))
        antigen = words.numbers.get(number, "")
        if not antigen:
            continue
        placed: dict[int, Cell] = {}
        for at, cell in enumerate(cells[1:], 1):
            spot = at if barred else _place(cell, offset, columns)
            if spot < len(columns):
                placed[spot] = (
                    cell
                    if spot not in placed
                    else Cell(placed[spot].text + " " + cell.text, placed[spot].start, cell.end)
                )
        claim = _row_claim(antigen, cells[0], placed, columns, wanted, words, legend)
        ticked = _ticked(placed, columns, words)
        if ticked is not None:
            claim.value, claim.reason = ticked, "missing" if ticked == "unk" else ""
        if (
            numeric
            and claim.value == "neg"
            and not any(re.search(r"\d", placed[i].text) for i in wanted if i in placed)
        ):
            claim.value, claim.reason = "unk", "missing"
        _footnote(placed, wanted, text, words, claim)
        claim.pop = _compartment(placed, columns, wanted, words) or claim.pop
        _comment(placed, columns, words, claim)
        out.claims.append(claim)


def _footnote(placed: dict[int, Cell], wanted: list[int], text: str, words: Words, claim: Claim) -> None:
    """A result with a note mark is only as good as the note (narrative rules 1 and 9)."""
    for at in wanted:
        mark = _MARK.search(placed[at].text) if at in placed else None
        if not mark:
            continue
        note = re.search(
            r"^[ \t]*" + re.escape(mark.group()) + r"[ :.)]?(.{4,200})$",
            text[claim.end : claim.end + 4000],
            re.MULTILINE,
        )
        kinds = (
            {t.kind for t in Scanner(note.group(1).lower(), words, frozenset(), {}).run()} if note else set()
        )
        if kinds & {
            "norm",
            "cells",
            "small",
            "failed",
            "artefact",
            "hedge",
            "history",
            "withdrawn",
            "pending",
            "openw",
        }:
            claim.value, claim.reason = "unk", "note"


def _ticked(placed: dict[int, Cell], columns: list[Column], words: Words) -> str | None:
    """The head of the ticked column, where the heads are the choices; None for any other table."""
    heads = {i: meaning_value(c.text, words) for i, c in enumerate(columns) if i}
    if (
        len({h for h in heads.values() if h}) < 2
        or not placed
        or not all(_TICK.fullmatch(c.text) for c in placed.values())
    ):
        return None
    marked = [heads.get(i, "") for i, c in placed.items() if _TICKED.fullmatch(c.text)]
    return marked[0] if len(marked) == 1 and marked[0] else "unk"


def _numeric(rows: list[tuple[int, str, list[Cell]]]) -> bool:
    """Whether the first value column mostly holds plain numbers, so that a lone dash there is a gap."""
    first = [cells[1].text for _, _, cells in rows if len(cells) > 1 and _is_marker(cells[0])]
    return sum(bool(re.fullmatch(r"[\d.,][\d.,\s-]+", t)) for t in first) * 2 > len(first)


def _compartment(placed: dict[int, Cell], columns: list[Column], wanted: list[int], words: Words) -> str:
    """The cells that a row speaks of, where a column names them."""
    for at, cell in placed.items():
        if at not in wanted and columns[at].role == "":
            kinds = {t.kind for t in Scanner(cell.text.lower(), words, frozenset(), {}).run()}
            if kinds & {"mal", "dx"}:
                return "mal"
            if kinds & {"norm", "cells", "small"}:
                return "norm"
    return ""


def _comment(placed: dict[int, Cell], columns: list[Column], words: Words, claim: Claim) -> None:
    for at, cell in placed.items():
        if columns[at].role == "comment":
            value, _ = cell_value(cell.text, words, {}, "comment")
            kinds = {t.kind for t in Scanner(cell.text.lower(), words, frozenset(), {}).run()}
            if value == "unk" or kinds & {"artefact", "hedge", "withdrawn"}:
                claim.value, claim.reason = "unk", "failed"
            elif value == "low" and claim.value == "pos":
                claim.value = "low"


def _place(cell: Cell, offset: int, columns: list[Column]) -> int:
    start, end = cell.start - offset, cell.end - offset
    best, score = 1, 10**9
    for at, column in enumerate(columns[1:], 1):
        gap = max(0, column.start - end, start - column.end)
        distance = gap * 4 + min(abs(column.start - start), abs(column.end - end))
        if distance < score:
            best, score = at, distance
    return best


def _column(cell: Cell, words: Words) -> Column:
    lowered = " ".join(cell.text.lower().strip(" :.").split())
    column = Column(words.table.get(lowered, ""), cell.start, cell.end, text=lowered)
    named = _MONTHS.search(lowered)
    date = named or _DATE.search(lowered)
    if named:
        month = (
            "janfebmaraprmayjunjulaugsepoctnovdec".find(
                named.group(2)
                .replace("mär", "mar")
                .replace("mai", "may")
                .replace("okt", "oct")
                .replace("dez", "dec")
            )
            // 3
            + 1
        )
        column.when = (int(named.group()[-2:]), month, int(named.group(1)))
    elif date:
        column.when = _when(date)
    if column.when and column.when[0] > 99:
        column.when = (column.when[0] % 100, *column.when[1:])
    kinds = {t.kind for t in Scanner(lowered, words, frozenset(), {}).run()}
    if column.role == "" and "hscore" in kinds:
        column.role = "hscore"
    first = lowered.split(" ")[0]
    if column.role == "" and first in ("pct", "percent", "%") and " " in lowered and not kinds & {"norm"}:
        column.role = "percent"
    if (
        column.role == ""
        and words.table.get(first) in ("current", "other")
        and first not in ("patient", "case")
    ):
        column.role = words.table[first]
    if column.role == "" and "%" in lowered and not kinds & {"mal", "norm", "dx"}:
        column.role = "percent" if "norm" not in kinds else "other"
    if column.role == "":
        if ("norm" in kinds and "mal" not in kinds) or "control" in lowered:
            column.role = "other"
        elif "current" in kinds or lowered.startswith("this"):
            column.role = "current"
        elif "history" in kinds:
            column.role = "other"
        elif date:
            column.role = "date"
        elif kinds & {"mal", "dx"}:
            column.role = "current"
        elif kinds & {"flowm", "ihcm"}:
            column.role = "method"
        elif any(
            words.table.get(w) in ("other", "current", "call", "percent", "intensity")
            for w in lowered.split()
        ):
            column.role = next(
                words.table[w]
                for w in lowered.split()
                if words.table.get(w) in ("other", "current", "call", "percent", "intensity")
            )
    elif column.role == "current" and "history" in kinds:
        column.role = "other"
    return column


def _when(date: re.Match[str]) -> tuple[int, ...]:
    parts = date.groups()
    if parts[2]:
        if parts[3]:
            return int(parts[2]), int(parts[3]), int(parts[4] or 0)
        return int(parts[2]), int(parts[1] or parts[0] or 0), int(parts[0] or 0) if parts[1] else 0
    return 2000 + int(parts[7]), int(parts[6]), int(parts[5])


def _wanted(columns: list[Column]) -> list[int] | None:
    """The columns that speak of the malignant cells now; None when the head says nothing usable."""
    current = [i for i, c in enumerate(columns) if i and c.role == "current"]
    dated = [i for i, c in enumerate(columns) if i and c.when and c.role in ("date", "current")]
    marked = [i for i in current if columns[i].when] or current
    if dated and not current:
        newest = max(columns[i].when for i in dated)
        return [i for i in dated if columns[i].when == newest]
    if any(columns[i].when for i in current) or (dated and current):
        return marked
    measures = [
        i
        for i, c in enumerate(columns)
        if i and c.role in ("percent", "intensity", "call", "method", "hscore")
    ]
    if current:
        return current + [i for i in measures if columns[i].role != "other"]
    if measures:
        return measures
    if any(c.role == "other" for c in columns[1:]):
        return [i for i, c in enumerate(columns) if i and c.role == ""]
    return None


def _row_claim(
    antigen: str,
    first: Cell,
    placed: dict[int, Cell],
    columns: list[Column],
    wanted: list[int],
    words: Words,
    legend: dict[str, str],
) -> Claim:
    claim = Claim(
        antigen,
        "unk",
        first.start,
        first.end,
        reason="missing",
        pop="mal",
        current=True,
        order=first.start,
        section="table",
    )
    values: list[tuple[str, str]] = []
    share = any("%" in c.text or "percent" in c.text for c in columns)
    for at in wanted:
        cell = placed.get(at)
        if cell is None:
            continue
        role = columns[at].role
        if role == "current" and share and _SHARE.fullmatch(cell.text):
            role = "percent"
        value, kind = cell_value(cell.text, words, legend, role)
        kind = "intensity" if columns[at].role == "intensity" and kind == "word" else kind
        claim.end = max(claim.end, cell.end)
        if value:
            values.append(
                (value, kind if columns[at].role not in ("method", "current") else columns[at].role + str(at))
            )
        if kind == "pct":
            claim.percent = cell.text
    _weigh(values, claim)
    return claim


def _weigh(values: list[tuple[str, str]], claim: Claim) -> None:
    states = {v for v, _ in values}
    shares = {v for v, k in values if k in ("pct", "hscore")}
    calls = {v for v, k in values if k not in ("pct", "hscore", "intensity")}
    if shares and not calls and not shares & {"pos"}:
        values = [(v, k) for v, k in values if k in ("pct", "hscore")]
    words = {v for v, k in values if k not in ("pct", "hscore")}
    methods = {v for v, k in values if k.startswith("method")}
    if not states:
        return
    if len(methods) > 1:
        claim.reason = "discordant"
    elif "unk" in words:
        claim.reason = "failed"
    elif "low" in words:
        claim.value = "low"
    elif len(words) == 1:
        claim.value = next(iter(words))
    elif words == {"pos", "neg"}:
        claim.value = "low" if all(k.startswith("current") for _, k in values) else "unk"
        claim.reason = "discordant" if claim.value == "unk" else ""
    else:
        claim.value = "low" if len(states) > 1 else next(iter(states))
        claim.band = True
    if claim.value != "unk":
        claim.reason = ""


def cell_value(text: str, words: Words, legend: dict[str, str], role: str) -> tuple[str, str]:
    """What one cell says: a state and how (word, sign, percent, score)."""
    stripped = re.sub(r"[ ]?\((?:\d|\*)\)$|[¹²³†‡]+$", "", text.strip().strip("|").strip())
    if not stripped:
        return "", ""
    if stripped.lower() in legend:
        return legend[stripped.lower()], "word"
    number = re.fullmatch(r"[<>]?[ ]?=?[ ]?(\d{1,3}(?:[.,]\d+)?)[ ]?%?", stripped)
    if number and (role in ("percent", "hscore") or "%" in stripped):
        return _numbered(stripped, float(number.group(1).replace(",", ".")), role, words.policy)
    tokens = Scanner("CD1 " + stripped, words, frozenset(), legend).run()
    return _cell_tokens(tokens, words.policy, stripped)


def _numbered(text: str, value: float, role: str, policy: Policy) -> tuple[str, str]:
    if role == "hscore":
        return (
            "pos" if value >= policy.h_score_positive else "low" if value >= policy.h_score_low else "neg"
        ), "hscore"
    if text.startswith("<"):
        value -= 0.01
    return (
        "pos" if value >= policy.percent_positive else "low" if value >= policy.percent_low else "neg"
    ), "pct"


def _cell_tokens(tokens: list[Token], policy: Policy, text: str) -> tuple[str, str]:
    first, states = tokens[0], []
    if first.sign:
        states.append(first.sign)
    flip = False
    percent = ""
    for token in tokens[1:]:
        kind = token.kind
        if token is tokens[1] and token.text.startswith("repeat") and len(tokens) > 2:
            return "unk", "word"
        if kind in ("failed", "pending", "mask", "hedge") or token.text == "?":
            return "unk", "word"
        if kind in ("norm", "cells", "small"):
            break
        if kind in ("pos", "neg", "low") or kind == "v":
            value = token.val or kind
            states.append({"pos": "neg", "neg": "pos", "low": "pos"}[value] if flip else value)
            flip = False
        elif kind == "negator":
            flip = True
        elif kind == "pct" and not percent:
            percent = (
                "pos"
                if token.lo >= policy.percent_positive
                else "low"
                if token.hi >= policy.percent_low
                else "neg"
            )
    if states:
        known = set(states)
        if "unk" in known:
            return "unk", "word"
        return ("low" if "low" in known or len(known) > 1 else known.pop()), "word"
    if percent:
        return percent, "pct"
    if text in ("-", "–"):
        return "neg", "sign"
    if re.fullmatch(r"[-–—_.*#/ xX]+", text):
        return "unk", "word"
    return "", ""


def _transposed(
    block: list[tuple[int, str, list[Cell]]],
    top: int,
    words: Words,
    legend: dict[str, str],
    out: TableReading,
) -> None:
    offset, line, head = block[top]
    barred = "|" in line
    columns = [Column("marker", c.start - offset, c.end - offset, text=_is_marker(c)) for c in head]
    if barred and _is_marker_after_colon(head[0]):
        columns.insert(0, Column("marker", 0, 0))
        columns[1].text = _is_marker_after_colon(head[0])
    elif not barred and _is_marker(head[0]):
        return
    rows = []
    for place, row, cells in block[top + 1 :]:
        if barred and ":" in cells[0].text and len(cells) == len(columns) - 1:
            label, _, rest = cells[0].text.partition(":")
            cells = [
                Cell(label, cells[0].start, cells[0].start + len(label)),
                Cell(rest.strip(), cells[0].start, cells[0].end),
                *cells[1:],
            ]
        named = next((c for c in cells if not _DATA.fullmatch(c.text)), cells[0])
        rows.append((place, row, cells, _column(named, words)))
    chosen = _chosen([r[3] for r in rows])
    out.used.append((offset, offset + len(line)))
    for at, (place, row, cells, _) in enumerate(rows):
        out.used.append((place, place + len(row)))
        if at not in chosen:
            continue
        placed = {}
        for number, cell in enumerate(cells[1:], 1):
            spot = number if barred or len(cells) == len(columns) else _place(cell, place, columns)
            placed[spot] = cell
        for spot, column in enumerate(columns):
            antigen = words.numbers.get(column.text, "") if spot else ""
            if antigen:
                percent = Column("percent" if "%" in line or "%" in row else "call", 0, 0)
                claim = _row_claim(
                    antigen,
                    cells[0],
                    {spot: placed[spot]} if spot in placed else {},
                    [percent] * (spot + 1),
                    [spot],
                    words,
                    legend,
                )
                claim.second = len(chosen) > 1
                out.claims.append(claim)


def _is_marker_after_colon(cell: Cell) -> str:
    _label, colon, rest = cell.text.partition(":")
    match = _MARKER_CELL.match(rest.strip()) if colon else None
    return match.group(1) if match else ""


def _chosen(labels: list[Column]) -> list[int]:
    current = [i for i, c in enumerate(labels) if c.role == "current" or c.text == "clone"]
    dated = [i for i, c in enumerate(labels) if c.when]
    if current and not (dated and not any(labels[i].when for i in current)):
        return current
    if dated:
        newest = max(labels[i].when for i in dated)
        return [i for i in dated if labels[i].when == newest]
    return [i for i, c in enumerate(labels) if c.role not in ("other", "percent", "intensity")]
