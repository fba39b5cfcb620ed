"""Tables in report text: rows of markers under column heads, and rows of populations under marker heads (rule 12)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mappings.reading.report.cells import DATA, MARKER_CELL, Cell, Column, cells_of, column_of, marker_of
from mappings.reading.report.layout import meaning_value
from mappings.reading.report.model import Claim
from mappings.reading.report.rows import (
    compartment_of,
    mostly_numbers,
    place_of,
    read_comment,
    read_footnote,
    row_claim,
    ticked_head,
    wanted_columns,
)
from mappings.reading.report.tokens import Scanner
from mappings.reading.report.words import Words

_RULE = re.compile(r"[\s|+\-_=─━═┌┐└┘├┤┬┴┼*.]*$")


_BARE = re.compile(r"(?:s|c|cy|m)?CD\d{1,3}[a-zA-Z]?[ ]?(?:\(?%\)?)?", re.IGNORECASE)


_COUNTS = re.compile(r"/[uµμ]l\b|\babs\b|cells/|10\^?9/l|\bsubsets?\b", re.IGNORECASE)


@dataclass(slots=True)
class TableReading:
    """Claims made by tables and the stretches of text they used up."""

    claims: list[Claim] = field(default_factory=list)
    used: list[tuple[int, int]] = field(default_factory=list)


def read_tables(text: str, words: Words, legend: dict[str, str]) -> TableReading:
    """All tables of a text."""
    out = TableReading()
    offset, block, title = 0, [], ""
    for line in [*text.split("\n"), ""]:
        cells = [] if _RULE.fullmatch(line[:300]) else cells_of(line, offset)
        if len(cells) >= 2:
            block.append((offset, line, cells))
        elif (line.strip() and not _RULE.fullmatch(line[:300])) or (
            not line.strip() and not (block and "|" in block[-1][1] and offset < len(text))
        ):
            if len(block) >= 2:
                made = len(out.claims)
                _block(block, text, words, legend, out)
                if _titles_normal(title, words):
                    for claim in out.claims[made:]:
                        claim.pop = "norm"
            block, title = [], line if line.strip() else title
        offset += len(line) + 1
    return out


def _titles_normal(title: str, words: Words) -> bool:
    """Whether the short line over a table says that it shows normal cells."""
    if len(title) > 60:
        return False
    kinds = {t.kind for t in Scanner(title.lower(), words, frozenset(), {}).run()}
    return "norm" in kinds and not kinds & {"mal", "dx", "num", "pct", "m"}


def _block(
    block: list[tuple[int, str, list[Cell]]],
    text: str,
    words: Words,
    legend: dict[str, str],
    out: TableReading,
) -> None:
    block = _marker_first(block)
    if _two_rows(block, words, legend, out):
        return
    marked = [bool(marker_of(cells[0])) for _, _, cells in block]
    if any(_COUNTS.search(" ".join(c.text for c in cells)) for _, _, cells in block[:3]):
        _counted(block, words, out)
        return
    wide = [
        sum(1 for c in cells[1:] if _BARE.fullmatch(c.text))
        if not any(marker_of(c) and not _BARE.fullmatch(c.text) for c in cells[1:])
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
    heads = [i for i in reversed(range(top)) if not any(DATA.fullmatch(c.text) for c in block[i][2])]
    headed = next((i for i in heads if _telling(block[i][2], words)), heads[0] if heads else top - 1)
    block = [block[headed], *block[top:]]
    top = 1
    head = block[top - 1][2]
    columns = [column_of(c, words) for c in head]
    barred = "|" in block[top - 1][1]
    lost = barred and len(head) == len(block[top][2]) - 1 and _opens_empty(block[top - 1][1], block[top][1])
    if lost:
        columns.insert(0, Column("marker", 0, 0))
    elif (not barred and len(head) == len(block[top][2]) - 1) or (
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
    aligned = lost or (barred and len(head) == len(block[top][2]))
    _rows(block, top, columns, aligned, words, legend, out, text)


def _opens_empty(head: str, row: str) -> bool:
    """Whether the first cell of a head is empty, above rows whose first cell holds the marker."""
    return head.lstrip().startswith("|") and not row.lstrip().startswith("|")


def _marker_first(block: list[tuple[int, str, list[Cell]]]) -> list[tuple[int, str, list[Cell]]]:
    """Barred rows with the marker in a later column, turned so that it stands first."""
    widest = min(len(cells) for _, _, cells in block)
    if any("|" not in line and ";" not in line for _, line, _ in block):
        return block
    for at in range(1, widest):
        count = sum(bool(marker_of(cells[at])) for _, _, cells in block)
        if (
            count * 2 >= len(block)
            and not any(marker_of(c) for _, _, cells in block for c in cells[:at])
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
        antigen = words.numbers.get(marker_of(cells[0]), "")
        if marker_of(cells[0]):
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


def _two_rows(
    block: list[tuple[int, str, list[Cell]]], words: Words, legend: dict[str, str], out: TableReading
) -> bool:
    """A row of bare markers with one row of values under it."""
    (offset, line, head), (place, row, cells) = block[0], block[1]
    if len(block) != 2 or len(head) != len(cells) or not all(_BARE.fullmatch(c.text) for c in head):
        return False
    if any(marker_of(c) for c in cells):
        return False
    out.used += [(offset, offset + len(line)), (place, place + len(row))]
    for name, cell in zip(head, cells, strict=True):
        antigen = words.numbers.get(marker_of(name), "")
        if antigen:
            columns = [Column("marker", 0, 0), Column("percent" if "%" in row else "call", 0, 0)]
            out.claims.append(row_claim(antigen, name, {1: cell}, columns, [1], words, legend))
    return True


def _telling(cells: list[Cell], words: Words) -> bool:
    """Whether a row reads like a head: at least one cell whose role is known and that is no mere diagnosis."""
    if len(cells) > 2 and len({c.text for c in cells[1:]}) == 1:
        return False
    return any(
        column_of(c, words).role not in ("", "marker") and words.table.get(c.text.lower()) != "dx"
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
    wanted = wanted_columns(columns)
    if wanted is None:
        if len({meaning_value(c.text, words) for c in columns[1:]} - {""}) < 2:
            return
        wanted = list(range(1, len(columns)))
    numeric = mostly_numbers(block[top:])
    head = block[top - 1][1] if top else ""
    tabs = head.count("\t")  # the empty first cell of a head may be lost
    tabbed = not barred and tabs > 0 and len(columns) - 1 - tabs in (0, 1) and "\t\t" not in head
    for offset, line, cells in block[top:]:
        number = marker_of(cells[0])
        if not number:
            continue
        out.used.append((offset, offset + len(line)))
        antigen = words.numbers.get(number, "")
        if not antigen:
            continue
        placed: dict[int, Cell] = {}
        for at, cell in enumerate(cells[1:], 1):
            spot = at if barred else place_of(cell, offset, columns)
            if tabbed and line.count("\t") < len(columns):
                spot = line[: cell.start - offset].count("\t")
            if spot < len(columns):
                placed[spot] = (
                    cell
                    if spot not in placed
                    else Cell(placed[spot].text + " " + cell.text, placed[spot].start, cell.end)
                )
        claim = row_claim(antigen, cells[0], placed, columns, wanted, words, legend)
        ticked = ticked_head(placed, columns, words)
        if ticked is not None:
            claim.value, claim.reason = ticked, "missing" if ticked == "unk" else ""
        if (
            numeric
            and claim.value == "neg"
            and not any(re.search(r"\d", placed[i].text) for i in wanted if i in placed)
        ):
            claim.value, claim.reason = "unk", "missing"
        read_footnote(placed, wanted, text, words, claim)
        claim.pop = compartment_of(placed, columns, wanted, words) or claim.pop
        read_comment(placed, columns, words, claim)
        out.claims.append(claim)


def _transposed(
    block: list[tuple[int, str, list[Cell]]],
    top: int,
    words: Words,
    legend: dict[str, str],
    out: TableReading,
) -> None:
    offset, line, head = block[top]
    barred = "|" in line
    columns = [Column("marker", c.start - offset, c.end - offset, text=marker_of(c)) for c in head]
    if barred and _is_marker_after_colon(head[0]):
        columns.insert(0, Column("marker", 0, 0))
        columns[1].text = _is_marker_after_colon(head[0])
    elif not barred and marker_of(head[0]):
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
        named = next((c for c in cells if not DATA.fullmatch(c.text)), cells[0])
        rows.append((place, row, cells, column_of(named, words)))
    chosen = _chosen([r[3] for r in rows])
    out.used.append((offset, offset + len(line)))
    for at, (place, row, cells, _) in enumerate(rows):
        out.used.append((place, place + len(row)))
        if at not in chosen:
            continue
        placed = {}
        for number, cell in enumerate(cells[1:], 1):
            spot = number if barred or len(cells) == len(columns) else place_of(cell, place, columns)
            placed[spot] = cell
        for spot, column in enumerate(columns):
            antigen = words.numbers.get(column.text, "") if spot else ""
            if antigen:
                percent = Column("percent" if "%" in line or "%" in row else "call", 0, 0)
                claim = row_claim(
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
    match = MARKER_CELL.match(rest.strip()) if colon else None
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
