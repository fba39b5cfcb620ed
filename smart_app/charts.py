"""Files of a chart to one decoded chart with the patient it is about; the only file reading of the shell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mappings.reading.decode import Decoded, decode_chart
from mappings.reading.guard import BadBody
from mappings.reading.wire import Resource

_CHART_FILES = frozenset({".json", ".ndjson", ".jsonl"})


class ChartError(ValueError):
    """A chart that cannot be judged: one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart ready to be judged, with the name its results are filed under."""

    name: str
    patient: str
    decoded: Decoded


class _Context(msgspec.Struct):
    patientId: str = ""  # noqa: N815  name as on the wire


def read_charts(files: list[str], patient: str) -> list[Chart]:
    """Reads the files: each hook request is a chart of its own, everything else together is one chart."""
    charts = []
    together = Decoded()
    names = []
    for path in _paths(files):
        decoded = _read(path)
        stem = "chart" if path == "-" else Path(path).stem
        if decoded.request is not None:
            charts.append(
                Chart(stem, patient or _context_patient(decoded) or _only_patient(decoded), decoded)
            )
            continue
        names.append(stem)
        for key, value in decoded.keys.items():
            together.keys[key if len(names) == 1 else f"{key}:{len(names)}"] = value
        together.remarks += decoded.remarks
        together.repaired += decoded.repaired
    if names:
        charts.append(Chart(names[0], patient or _only_patient(together), together))
    return charts


def _paths(files: list[str]) -> Iterator[str]:
    for file in files:
        path = Path(file)
        if file != "-" and path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.suffix in _CHART_FILES and one.is_file())
            if not inside:
                raise ChartError(f"{file}: the folder holds no .json or .ndjson file.")
            yield from map(str, inside)
        else:
            yield file


def _read(path: str) -> Decoded:
    try:
        body = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise ChartError(f"{path}: cannot be read ({error.strerror}).") from error
    try:
        return decode_chart(body)
    except BadBody as fault:
        where = f" ({fault.field})" if fault.field else ""
        raise ChartError(f"{path}: {fault}{where}.") from fault


def _context_patient(decoded: Decoded) -> str:
    request = decoded.request
    if request is None or not request.context:
        return ""
    try:
        return msgspec.json.decode(request.context, type=_Context).patientId
    except msgspec.MsgspecError:
        return ""


def _only_patient(decoded: Decoded) -> str:
    ids = sorted({one.id for value in decoded.keys.values() for one in _patients(value) if one.id})
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise ChartError("The chart holds no Patient; say whose it is with --patient ID.")
    raise ChartError(f"The chart holds {len(ids)} patients; say which one is meant with --patient ID.")


def _patients(value: Resource | None) -> Iterator[Resource]:
    if value is None:
        return
    if value.resourceType == "Patient":
        yield value
    for entry in value.entry or []:
        if entry is not None and entry.resource is not None:
            yield from _patients(entry.resource)
