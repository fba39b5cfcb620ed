"""What was set aside, contradicts or could not be read, as sentences: subject first, then the reason of the core."""

from __future__ import annotations

from cds_hooks.needs import words_of
from cds_hooks.plain import all_of, plain
from mappings.facts import Antigen, Remark

_KINDS = {
    "antigen": "antigen result",
    "car-t": "CAR T entry",
    "course": "entry on the course",
    "diagnosis": "diagnosis entry",
    "monitoring": "monitoring result",
    "report": "report",
    "safety": "value",
    **{antigen.value: f"{antigen.value} result" for antigen in Antigen},
}
_VERBS = (
    *("was ", "is ", "has ", "does ", "says ", "shows ", "still "),
    *("names ", "cannot ", "disagrees ", "belongs ", "gives "),
)


def remark_line(label: str, remarks: tuple[Remark, ...], most: int = 3) -> str:
    """`Set aside: …` or `Conflict: …`, the first few in words and the number of the rest; empty without remarks."""
    if not remarks:
        return ""
    by_reason: dict[str, list[Remark]] = {}
    for remark in remarks:
        by_reason.setdefault(plain(remark.reason, 140).rstrip(" ."), []).append(remark)
    words = [_told(reason, group) for reason, group in by_reason.items()]
    more = f"; {len(words) - most} more" if len(words) > most else ""
    return f"{label}: {'; '.join(words[:most])}{more}."


def remark_sentence(remark: Remark) -> str:
    """One remark as a sentence without its full stop."""
    return _told(remark.reason, [remark])


def _kind(remark: Remark) -> str:
    if remark.about:
        return _KINDS.get(remark.about, plain(remark.about, 60))
    if remark.source is not None and "/" in remark.source.reference:
        return f"entry of {words_of(remark.source.reference.split('/')[0])}"
    return "entry"


def _told(reason: str, group: list[Remark]) -> str:
    kinds = list(dict.fromkeys(_kind(remark) for remark in group))
    if len(group) > 1:
        return f"{len(group)} entries ({all_of(kinds)}): {reason}"
    quote = plain(group[0].quote or (group[0].source.quote if group[0].source else ""), 50)
    titled = " titled" if kinds[0] == _KINDS["report"] else ""
    subject = f"{kinds[0]}{titled} “{quote}”" if quote and quote.lower() != kinds[0].lower() else kinds[0]
    if reason.startswith(_VERBS):
        return f"{subject} {reason}"
    return reason if subject in ("entry", *_KINDS.values()) else f"{subject}: {reason}"
