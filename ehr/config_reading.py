"""Reading a registration table field by field: types, allowed values, unknown keys; every fault is kept, none stops.

A fault names file, site, field, what is wrong and what to do, so that IT mends a file in one go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ehr.address import Address, AddressFault, parse_address
from ehr.own_keys import KeyFault, read_secret

MAX_TEXT = 2048
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a registration file: where, what is wrong, and the fix."""

    file: str
    site: str
    field: str
    problem: str
    fix: str

    def __str__(self) -> str:
        place = f"site {self.site!r}, {self.field}" if self.site else self.field
        return f"{self.file}: {place}: {self.problem}. {self.fix}."


@dataclass(slots=True)
class Table:
    """One TOML table being read; what was asked for is known, the rest is an unknown key (see `finish`)."""

    file: Path
    site: str
    place: str
    values: Mapping[str, Any]
    faults: list[Fault]
    known: dict[str, None] = field(default_factory=dict)

    def blame(self, name: str, problem: str, fix: str) -> None:
        """Keeps one fault of a field of this table."""
        self.faults.append(Fault(self.file.name, self.site, self.place + name, problem, fix))

    def given(self, name: str) -> bool:
        """Whether the field stands in the file."""
        return name in self.values

    def raw(self, name: str) -> Any:
        """The value as TOML gave it, or None; marks the name as known."""
        self.known[name] = None
        return self.values.get(name)

    def text(self, name: str, usual: str = "", *, needed: str = "") -> str:
        """A text without control characters; `needed` is the fix to tell where it is missing."""
        value = self.raw(name)
        if value is None or value == "":
            if needed:
                self.blame(name, "is missing", needed)
            return usual
        if not isinstance(value, str) or len(value) > MAX_TEXT or _CONTROLS.search(value):
            self.blame(
                name,
                f"is not a text of at most {MAX_TEXT} characters",
                f'Write it as {name} = "…" in one line',
            )
            return usual
        return value

    def texts(self, name: str, usual: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts, none of them empty, each once."""
        value = self.raw(name)
        if value is None:
            return tuple(usual)
        if not isinstance(value, list) or not all(_is_text(item) for item in value):
            self.blame(name, "is not a list of texts", f'Write it as {name} = ["…", "…"]')
            return tuple(usual)
        if len(set(value)) != len(value):
            self.blame(name, "names the same value twice", "Leave each value in once")
        return tuple(dict.fromkeys(value))

    def choice(self, name: str, allowed: Collection[str], usual: str) -> str:
        """One of a closed list of words."""
        value = self.text(name, usual)
        if value not in allowed and value != usual:
            self.blame(
                name,
                "is not one of the allowed words",
                f"Use one of: {_listed(allowed)}{_guess(value, allowed)}",
            )
            return usual
        return value

    def choices(self, name: str, allowed: Collection[str], usual: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of words of a closed list."""
        values = self.texts(name, usual)
        for value in values:
            if value not in allowed:
                self.blame(
                    name, f"{value!r} is not known", f"Use only: {_listed(allowed)}{_guess(value, allowed)}"
                )
        return tuple(value for value in values if value in allowed)

    def flag(self, name: str, usual: bool) -> bool:
        """true or false."""
        value = self.raw(name)
        if value is None:
            return usual
        if not isinstance(value, bool):
            self.blame(
                name, "is neither true nor false", f"Write {name} = true or {name} = false, without quotes"
            )
            return usual
        return value

    def number(self, name: str, usual: float, least: float, most: float, *, whole: bool = True) -> float:
        """A number within bounds; `whole` for integers."""
        value = self.raw(name)
        if value is None:
            return usual
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            kind = "a whole number" if whole else "a number"
            self.blame(
                name, f"is not {kind} from {least:g} to {most:g}", f"Write {name} = {usual:g} or leave it out"
            )
            return usual
        return value

    def day(self, name: str) -> date | None:
        """A calendar day, as a TOML date or as a text yyyy-mm-dd."""
        value = self.raw(name)
        if value is None or (type(value) is date):
            return value
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        self.blame(name, "is not a date", f"Write {name} = 2027-03-31")
        return None

    def path(self, name: str) -> Path | None:
        """A path; a relative one counts from the folder of the registration file."""
        value = self.text(name)
        return self.file.parent / Path(value).expanduser() if value else None

    def secret(self, name: str) -> Path | None:
        """The path of a file that only its owner may read and that is not empty (T-20)."""
        path = self.path(name)
        if path is None:
            return None
        try:
            if not read_secret(path).strip():
                self.blame(name, "names an empty file", "Put the secret into the file, alone")
        except KeyFault as fault:
            self.blame(
                name, str(fault), f"Make the file readable for the service alone: chmod 600 {path.name}"
            )
        return path

    def addresses(self, name: str, *, allow_http: bool, allow_query: bool = False) -> tuple[str, ...]:
        """A list of addresses as they stand; those that are none are blamed and left out."""
        return tuple(
            value
            for value in self.texts(name)
            if self.checked(name, value, allow_http=allow_http, allow_query=allow_query) is not None
        )

    def checked(
        self, name: str, value: str, *, allow_http: bool, allow_query: bool = False
    ) -> Address | None:
        """The address parsed, or None after it was blamed."""
        try:
            address = parse_address(value, allow_http=allow_http, allow_query=allow_query)
        except AddressFault as fault:
            fix = "Give the whole https:// address exactly as the EHR uses it"
            self.blame(name, f"{_shown(value)} is not accepted: {fault}", fix)
            return None
        if address.loopback and not allow_http:
            fix = 'Give the real address, or set environment = "test"'
            self.blame(name, f"{_shown(value)} is this machine itself, in production", fix)
            return None
        return address

    def table(self, name: str) -> Table | None:
        """A table within, to be read and finished by the caller; None where there is none."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.blame(name, "is not a table", f"Write it as a section [{self.place}{name}]")
            return None
        return Table(self.file, self.site, f"{self.place}{name}.", value, self.faults)

    def tables(self, name: str) -> list[Mapping[str, Any]]:
        """A list of tables as TOML gave them."""
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.blame(
                name, "is not a list of tables", f"Write [[{name}]] above each of them, or {name} = [{{…}}]"
            )
            return []
        return value

    def finish(self) -> None:
        """Blames every key that nobody asked for, with the nearest right one."""
        for name in self.values:
            if name not in self.known:
                near = get_close_matches(name.lower(), self.known, n=1, cutoff=0.6)
                fix = (
                    f"Did you mean {near[0]!r}? Else take it out"
                    if near
                    else f"Known here: {_listed(self.known)}"
                )
                self.blame(name, "is not a known key", fix)


def each(
    table: Table, name: str, values: Sequence[str], check: Callable[[str], str | None], fix: str
) -> tuple[str, ...]:
    """The values in the spelling `check` gives them; those for which it gives None are blamed and left out."""
    kept = []
    for value in values:
        spelled = check(value)
        if spelled is None:
            table.blame(name, f"{_shown(value)} is not accepted", fix)
        else:
            kept.append(spelled)
    return tuple(kept)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and not _CONTROLS.search(value)


def _listed(words: Collection[str]) -> str:
    return ", ".join(words)


def _nearest(word: str, allowed: Collection[str]) -> str:
    longer = [known for known in allowed if known.startswith(word.lower()[:4]) and len(word) >= 4]
    near = get_close_matches(word.lower(), allowed, n=1, cutoff=0.6) or longer
    return near[0] if near else ""


def _guess(word: str, allowed: Collection[str]) -> str:
    near = _nearest(word, allowed)
    return f" (did you mean {near!r}?)" if near else ""


def _shown(value: str) -> str:
    return repr(value if len(value) <= 120 else value[:117] + "…")
