"""Lines and table rows of a marked-up document, written out as text with a tab between cells."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SPACES = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_MAX_SPAN = 20
_MAX_COLUMNS = 60
_MAX_DEPTH = 12  # tables within tables; deeper ones are read as part of the cell they stand in


def names(listed: str) -> frozenset[str]:
    """A set of tag or control names written with blanks between them."""
    return frozenset(listed.split())


@dataclass(slots=True)
class _Cell:
    lines: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    colspan: int = 1
    rowspan: int = 1

    def end_line(self) -> None:
        line = _SPACES.sub(" ", "".join(self.current)).strip()
        if line:
            self.lines.append(line)
        self.current.clear()


@dataclass(slots=True)
class _Table:
    row: list[_Cell] = field(default_factory=list)
    open_cell: _Cell | None = None
    # column -> (rows still to fill, text): a cell that reaches down keeps later columns in place
    down: dict[int, tuple[int, str]] = field(default_factory=dict)


class Rows:
    """Collects text, line ends and table cells in document order; `cut` once the cap is reached."""

    __slots__ = ("_cap", "_deeper", "_line", "_lines", "_size", "_tables", "_written", "cut")

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._size = 0
        self._deeper = 0
        self._written = 0
        self._lines: list[str] = []
        self._line: list[str] = []
        self._tables: list[_Table] = []
        self.cut = False

    def text(self, piece: str) -> None:
        """Adds characters where the document stands."""
        self._size += len(piece)
        if self._size > self._cap:
            self.cut = True
        cell = self._tables[-1].open_cell if self._tables else None
        (cell.current if cell else self._line).append(piece)

    def line_end(self) -> None:
        """Ends a line, inside a cell or outside."""
        cell = self._tables[-1].open_cell if self._tables else None
        if cell:
            cell.end_line()
        elif self._line:
            line = self.take_line()
            if line.strip():
                self._put(line)

    def take_line(self) -> str:
        """The line begun outside cells, taken away: it turned out to be a cell."""
        line = "".join(self._line)
        self._line.clear()
        return line

    def blank_line(self) -> None:
        """Ends a paragraph outside tables with an empty line."""
        self.line_end()
        if not self._tables and self._lines and self._lines[-1]:
            self._put("")

    def open_table(self) -> None:
        """Starts a table, which may stand inside a cell."""
        self.line_end()
        if len(self._tables) >= _MAX_DEPTH:
            self._deeper += 1
        else:
            self._tables.append(_Table())

    def close_table(self) -> None:
        """Ends the innermost table."""
        if self._deeper:
            self._deeper -= 1
        elif self._tables:
            self.close_row()
            self._tables.pop()

    @property
    def in_table(self) -> bool:
        """Whether a table is open."""
        return bool(self._tables)

    def open_row(self) -> None:
        """Starts a row, ending the one before it."""
        if not self._tables:
            self.open_table()
        self.close_row()

    def open_cell(self, colspan: int = 1, rowspan: int = 1) -> None:
        """Starts a cell, ending the one before it."""
        if not self._tables:
            self.open_table()
        if self._tables[-1].open_cell is None:
            self.line_end()
        self.close_cell()
        table = self._tables[-1]
        table.open_cell = _Cell(colspan=min(max(colspan, 1), _MAX_SPAN), rowspan=min(max(rowspan, 1), 200))
        table.row.append(table.open_cell)

    def close_cell(self) -> None:
        """Ends the open cell of the innermost table."""
        if self._tables and self._tables[-1].open_cell:
            self._tables[-1].open_cell.end_line()
            self._tables[-1].open_cell = None

    def close_row(self) -> None:
        """Ends the row of the innermost table and writes it out."""
        if not self._tables:
            return
        self.close_cell()
        table = self._tables[-1]
        cells, table.row = table.row, []
        if not cells:
            return
        lines = _row_lines(_columns(table, cells))
        outer = next((t.open_cell for t in reversed(self._tables[:-1]) if t.open_cell), None)
        if outer:
            outer.lines.extend(lines)
        else:
            for line in lines:
                self._put(line, tidy=False)

    def result(self) -> str:
        """Everything collected, ending what is still open, innermost first."""
        self._deeper = 0
        while self._tables:
            self.close_table()
        self.line_end()
        return "\n".join(self._lines).strip("\n")

    def _put(self, line: str, *, tidy: bool = True) -> None:
        self._lines.append(line.strip(" ") if tidy else line)
        self._written += len(line) + 1  # repeated cells count too
        if self._written > self._cap:
            self.cut = True


def _columns(table: _Table, cells: list[_Cell]) -> list[list[str]]:
    """The row's cells at their columns, with cells that reach down from rows above repeated."""
    columns: list[list[str]] = []

    def fill_from_above() -> None:
        while len(columns) in table.down and len(columns) < _MAX_COLUMNS:
            at = len(columns)
            left, text = table.down[at]
            columns.append([text] if text else [])
            if left > 1:
                table.down[at] = (left - 1, text)
            else:
                del table.down[at]

    for cell in cells:
        fill_from_above()
        for nth in range(cell.colspan):
            if cell.rowspan > 1 and len(columns) < _MAX_COLUMNS:
                table.down[len(columns)] = (cell.rowspan - 1, " ".join(cell.lines) if nth == 0 else "")
            columns.append(cell.lines if nth == 0 else [])
    fill_from_above()
    return columns


def _row_lines(columns: list[list[str]]) -> list[str]:
    """One line a row; cells that hold several lines each are read line by line across the row."""
    filled = [lines for lines in columns if lines]
    if len(filled) <= 1:  # a frame around other content, or a lone title
        return list(filled[0]) if filled else []
    heights = {len(lines) for lines in filled}
    if len(heights) == 1 and heights != {1}:
        height = heights.pop()
        return ["\t".join(lines[n] if lines else "" for lines in columns).rstrip() for n in range(height)]
    if any(len(lines) > 8 or any("\t" in line for line in lines) for lines in filled):
        return [line for lines in columns for line in lines]  # page layout, not a table of results
    return ["\t".join(" ".join(lines) for lines in columns).rstrip()]
