"""`postcart read-report`: report texts in, the state of CD19, CD20 and CD22 with the deciding words out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from mappings.facts import Antigen
from smart_app.cli import DONE, fail


class _Line(msgspec.Struct):
    text: str
    id: str | int | None = None
    specimen: str | None = None
    method: str | None = None


class _Id(msgspec.Struct):
    id: Any = None


def run(options: argparse.Namespace) -> int:
    """Reads the lines in order; a bad line gives `{id, error}` and the next one is read."""
    try:
        source = sys.stdin.buffer if options.jsonl == "-" else open(options.jsonl, "rb")  # noqa: SIM115
    except OSError as error:
        return fail(f"{options.jsonl}: cannot be read ({error.strerror}).")
    with source:
        for answer in read_lines(source):
            sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    return DONE


def read_lines(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    """One answer for each line that is not blank."""
    decoder = msgspec.json.Decoder(_Line)
    for line in lines:
        if not line.strip():
            continue
        try:
            wanted = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
            yield {"id": _id_of(line), "error": "the line is not an object {id, text, specimen, method}"}
            continue
        yield _answer(wanted)


def _id_of(line: bytes) -> str | int | None:
    try:
        found = msgspec.json.decode(line, type=_Id).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return found if isinstance(found, str | int) else None


def _answer(line: _Line) -> dict[str, Any]:
    from mappings.reading.report import read_report

    reading = read_report(line.text, specimen=line.specimen, method=line.method)
    answer: dict[str, Any] = {"id": line.id}
    words: dict[str, list[str]] = {}
    for antigen in Antigen:
        finding = reading.findings.get(antigen)
        answer[antigen.value] = finding.state.value if finding is not None else None
        words[antigen.value] = list(finding.words) if finding is not None else []
    return {**answer, "words": words}
