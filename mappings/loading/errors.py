"""What can be wrong with a knowledge folder, said to the person who maintains it."""

from __future__ import annotations

from dataclasses import dataclass


class KnowledgeError(Exception):
    """The knowledge folder cannot be used; carries a stable code, the file and what to do about it."""

    def __init__(self, code: str, message: str, file: str = "", fix: str = "") -> None:
        self.code = code
        self.message = message
        self.file = file
        self.fix = fix
        super().__init__(f"{code}: {file}: {message} {fix}".strip())


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing the checks found wrong: where, what, and how to put it right."""

    file: str
    field: str
    message: str
    fix: str
