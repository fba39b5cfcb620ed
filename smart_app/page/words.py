"""Words, dates and day numbers as the page prints them, and chart text made harmless for any screen (H-48, T-16)."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

from mappings.dates import ClinicalDate, parse_date
from mappings.facts import AntigenState, Method, SpecimenKind

_SPACES = frozenset("\t\n\r\v\f")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_MINUS = "\u2212"
_NO_BREAK = "\u00a0"

STATE_WORDS = {
    AntigenState.POSITIVE: "Positive",
    AntigenState.LOW_OR_PARTIAL: "Low or partial",
    AntigenState.NEGATIVE: "Negative",
    AntigenState.UNKNOWN: "Unknown",
}
GLYPHS = {
    AntigenState.POSITIVE: "positive",
    AntigenState.LOW_OR_PARTIAL: "low",
    AntigenState.NEGATIVE: "negative",
    AntigenState.UNKNOWN: "unknown",
}
METHOD_WORDS = {Method.FLOW: "flow cytometry", Method.IHC: "IHC", Method.UNSPECIFIED: "method not stated"}
SPECIMEN_WORDS = {
    SpecimenKind.TISSUE: "tissue",
    SpecimenKind.MARROW: "marrow",
    SpecimenKind.BLOOD: "blood",
    SpecimenKind.CSF: "CSF",
    SpecimenKind.EFFUSION: "effusion",
    SpecimenKind.UNSPECIFIED: "specimen not described",
}
STATUS_WORDS = {
    "approved": "Approved",
    "accelerated-approval": "Accelerated approval",
    "conditional": "Conditional approval",
    "off-label": "Off-label",
    "investigational": "Trial only",
    "not-approved": "Not approved",
    "withdrawn": "Withdrawn",
}
KIND_WORDS = {
    "testing": "Testing",
    "clinical-trial": "Trial",
    "bispecific-antibody": "Bispecific antibody",
    "antibody-drug-conjugate": "Antibody-drug conjugate",
    "monoclonal-antibody": "Monoclonal antibody",
    "small-molecule": "Small molecule",
    "immunomodulator": "Immunomodulator",
    "checkpoint-inhibitor": "Checkpoint inhibitor",
    "chemoimmunotherapy": "Chemotherapy",
    "car-t": "CAR T",
    "transplant": "Transplant",
    "radiotherapy": "Radiotherapy",
    "supportive": "Supportive",
}
GROUP_WORDS = {
    "lbcl": "large B-cell lymphoma",
    "fl": "follicular lymphoma",
    "mcl": "mantle cell lymphoma",
    "b-all": "B-cell acute lymphoblastic leukemia",
    "burkitt": "Burkitt lymphoma",
    "cll": "chronic lymphocytic leukemia",
    "mzl": "marginal zone lymphoma",
    "richter": "Richter transformation",
}


def clean(text: str, cap: int = 4000, lines: bool = False) -> str:
    """Text without control and direction characters, at most `cap` long; `lines` keeps the line breaks."""
    if len(text) <= cap and text.isascii() and text.isprintable():
        return text
    cut = text[: cap * 2]
    shown = "".join(
        char
        if lines and char == "\n"
        else " "
        if char in _SPACES or unicodedata.category(char) in ("Zl", "Zp")
        else char
        for char in cut
        if char in _SPACES or unicodedata.category(char) not in _UNSEEN
    )
    return shown if len(shown) <= cap else shown[: cap - 1].rstrip() + "…"


def short(text: str, cap: int = 120) -> str:
    """Chart text on one line, cut at `cap` characters with an ellipsis."""
    flat = " ".join(clean(text, cap * 4).split())
    return flat if len(flat) <= cap else flat[: cap - 1].rstrip() + "…"


def upper_first(text: str) -> str:
    """The text with a capital first letter, the rest untouched."""
    return text[:1].upper() + text[1:]


def ended(text: str) -> str:
    """The text with exactly one full stop at its end."""
    shown = text.strip().rstrip(".;, ")
    return shown if shown.endswith("…") else f"{shown}." if shown else ""


def date_words(when: ClinicalDate | None) -> str:
    """A date with its month in letters and no-break spaces, as precise as charted; or that none is known."""
    return when.display().replace(" ", _NO_BREAK) if when is not None else "date not known"


def iso_words(text: str) -> str:
    """A FHIR date or moment in text as people read it; the text itself where it is none."""
    when = parse_date(text)
    return date_words(when) if when is not None else text


def day_words(day: int | None) -> str:
    """A day number, with a true minus before the infusion; empty where it is not known."""
    return "" if day is None else str(day).replace("-", _MINUS)


def moment_words(moment: datetime) -> str:
    """A moment with its zone: `22 Nov 2026, 09:14 UTC`."""
    zone = "UTC" if not moment.utcoffset() else moment.strftime("%z")
    text = moment.strftime("%d %b %Y, %H:%M") + (f" {zone}" if moment.tzinfo is not None else "")
    return text.replace(" ", _NO_BREAK)


def counted(number: int, one: str, many: str = "") -> str:
    """A count with its noun in the right number."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def joined(names: list[str]) -> str:
    """Names as a sentence has them: `CD19, CD20 and CD22`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


_ID = re.compile(r"[A-Za-z]{1,40}/[A-Za-z0-9.\-]{1,64}\Z")


def raw_path(base: str, reference: str) -> str:
    """Where the raw record of a reference is read in this workspace; empty for what is no record of the chart."""
    return f"{base}/raw/{reference}" if _ID.match(reference) and not reference.startswith("stated/") else ""
