"""Every text of a result or report, as plain text with the element it stands in (rules 11.15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mappings.facts import Remark, SourceRef
from mappings.reading import wire
from mappings.reading.attachments import attachment_text, html_text, looks_like_rtf, rtf_text
from mappings.reading.chart import Hit
from mappings.reading.context import VOID
from mappings.reading.misfits import LONG_TEXT, fits, misfit_remark

MAX_TEXT = 256 * 1024
LONG = "is longer than what is read: only its beginning was read, so no result of it counts"


@dataclass(frozen=True, slots=True)
class Passage:
    """One text of a resource; `cut` where only its beginning is held."""

    element: str
    text: str
    cut: bool = False


class _Content(wire.Struct, gc=False):
    attachment: wire.Attachment | None = None


_WORDS: dict[str, Any] = {
    "conclusion": str,
    "conclusionCode": list[wire.Concept],
    "presentedForm": list[wire.Attachment],
}


def passages(hit: Hit) -> tuple[list[Passage], list[Remark]]:
    """The texts of an Observation, report or document; attachments that cannot be read become remarks."""
    resource = hit.resource
    found: list[Passage] = []
    remarks: list[Remark] = []
    for element, raw in (("valueString", resource.valueString), ("conclusion", resource.conclusion)):
        text = wire.peek(raw, str)
        if text and text.strip():
            found.append(_passage(hit, element, text, remarks))
    value = wire.peek(resource.valueCodeableConcept, wire.Concept)
    if value is not None and value.text and len(value.text) > 40:
        found.append(Passage("valueCodeableConcept", plain(value.text)))
    for note in wire.peek_list(resource.note, wire.Annotation):
        if note.text and note.text.strip():
            found.append(_passage(hit, "note", note.text, remarks))
    for concept in wire.peek_list(resource.conclusionCode, wire.Concept):
        if concept.text:
            found.append(Passage("conclusionCode", plain(concept.text)))
    if resource.resourceType == "DiagnosticReport" and hit.status not in VOID:
        # its words decide: what is lost of them may be the relapse, or the opposite of what another report says
        odd = [name for name, kind in _WORDS.items() if not fits(getattr(resource, name), kind)]
        remarks += [misfit_remark(hit.reference, odd)] if odd else []
    _attachments(hit, found, remarks)
    return found, remarks


def _passage(hit: Hit, element: str, text: str, remarks: list[Remark]) -> Passage:
    whole = plain(text[: MAX_TEXT + 1])
    cut = len(text) > MAX_TEXT
    if cut:
        remarks.append(unread(hit, element, LONG, code=LONG_TEXT))
    return Passage(element, whole[:MAX_TEXT], cut)


def plain(text: str) -> str:
    """Text without HTML or RTF markup."""
    if looks_like_rtf(text):
        return rtf_text(text)
    if "<" in text and ">" in text:
        return html_text(text)
    return text


def _attachments(hit: Hit, found: list[Passage], remarks: list[Remark]) -> None:
    forms = [(form, "presentedForm") for form in wire.peek_list(hit.resource.presentedForm, wire.Attachment)]
    for content in wire.peek_list(hit.resource.content, _Content):
        if content.attachment is not None:
            forms.append((content.attachment, "content"))
    for form, element in forms:
        read = attachment_text(form.contentType or "", form.data)
        if read.readable:
            found.append(Passage(element, read.text, read.cut))
        reason = LONG if read.readable and read.cut else read.reason
        if reason:
            title = (form.title or form.contentType or "attachment").strip()
            code = LONG_TEXT if read.readable else "attachment"
            remarks.append(unread(hit, element, reason, title, code=code))


def unread(hit: Hit, element: str, reason: str, title: str = "", *, code: str) -> Remark:
    """The remark that a text of this resource was not read, or not in full."""
    return Remark("unread", reason, SourceRef(hit.reference, element, title), about="report", code=code)
