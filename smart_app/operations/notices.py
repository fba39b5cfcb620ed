"""Safety notices: known faults, told where they matter, on the page and in `/ready` (H-69).

`notices.json` is a list of objects {id, text, link, from, before, knowledge}: `from` and `before` bound the versions
of the program, `knowledge` lists versions of the knowledge; what is left out bounds nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

_MOST_BYTES = 256 << 10
_Words = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
_Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")]
_Link = Annotated[str, Meta(pattern=r"\A(https://[^\s<>\"']{1,300})?\Z")]
_Version = Annotated[str, Meta(pattern=r"\A(\d{1,6}(\.\d{1,6}){0,3})?\Z")]


class NoticesError(ValueError):
    """A file of notices that cannot be read; says which and why, for IT."""


class Notice(Struct, frozen=True, forbid_unknown_fields=True):
    """One notice as its file has it."""

    id: _Name
    text: _Words
    link: _Link = ""
    first: _Version = field(default="", name="from")
    before: _Version = ""
    knowledge: tuple[str, ...] = ()

    def affects(self, version: str, knowledge: str) -> bool:
        """Whether a program of this version with this knowledge is meant."""
        if self.first and _parts(version) < _parts(self.first):
            return False
        if self.before and _parts(version) >= _parts(self.before):
            return False
        return not self.knowledge or knowledge in self.knowledge


@dataclass(frozen=True, slots=True)
class Notices:
    """The notices that concern this installation, and why a file of them could not be read, if so."""

    affecting: tuple[Notice, ...] = ()
    fault: str = ""


def read_notices(path: Path) -> tuple[Notice, ...]:
    """The notices of a file; raises `NoticesError` where it is not what it should be."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NoticesError(f"{path.name} cannot be read ({error.strerror}).") from error
    if len(data) > _MOST_BYTES:
        raise NoticesError(f"{path.name} is larger than {_MOST_BYTES >> 10} kB.")
    try:
        return msgspec.json.decode(data, type=tuple[Notice, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NoticesError(f"{path.name} is not a list of notices: {error}") from error


def notices_for(path: Path | None, version: str, knowledge: str) -> Notices:
    """What concerns this version; a file that is not there is no fault, one that is broken is shown as one."""
    if path is None or not path.exists():
        return Notices()
    try:
        found = read_notices(path)
    except NoticesError as error:
        return Notices(fault=str(error))
    return Notices(tuple(notice for notice in found if notice.affects(version, knowledge)))


def _parts(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", version)[:4]]
    return tuple(numbers + [0] * (4 - len(numbers)))
