"""The context a card's link carried: believed only where it was signed here for this patient, site and moment (H-05)."""

from __future__ import annotations

from datetime import datetime

from ehr.app_context import ContextFault, read_context

CARD_CONTEXT_ODD = "card-context"


def read_card_context(
    key: bytes, text: str, site: str, patient: str, now: datetime
) -> tuple[str, tuple[str, ...]]:
    """The card the launch came from, and warnings for the page; a context that does not fit is ignored and told."""
    if not text:
        return "", ()
    if not key:
        return "", (CARD_CONTEXT_ODD,)
    try:
        context = read_context(key, text, site=site, patient_id=patient, now=now)
    except ContextFault as fault:
        return "", (f"{CARD_CONTEXT_ODD}-{fault.code}",)
    return context.card, ()
