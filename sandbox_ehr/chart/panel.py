"""The side panel: cards as an EHR takes them, what the user did with them, what was refused and why."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from sandbox_ehr.chart.markdown import render_markdown
from sandbox_ehr.fhir.records import Resource

LONGEST_SUMMARY = 139
_KINDS = {"info": "Information", "warning": "Warning", "critical": "Critical"}
_ORDERS = ("ServiceRequest", "MedicationRequest")
_KEPT_SESSIONS = 200


class CardFault(Exception):
    """A card or an act on it that the EHR does not take; the text says why."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a card that may be opened: `smart` launches the registered app."""

    label: str
    url: str
    smart: bool
    app_context: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A suggestion with the drafts it would create."""

    uuid: str
    label: str
    drafts: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One card as shown."""

    key: str
    service: str
    hook: str
    summary: str
    indicator: str
    detail: Markup
    source: str
    source_url: str
    links: tuple[Link, ...]
    suggestions: tuple[Suggestion, ...]
    reasons: tuple[dict[str, str], ...]
    many: bool

    @property
    def kind(self) -> str:
        """The word for the indicator."""
        return _KINDS[self.indicator]


def read_card(raw: Any, service: str, hook: str, patient: str, launch_url: str) -> tuple[Card, list[str]]:
    """A card as the EHR takes it, and what it left out; raises `CardFault` for a card that breaks the rules."""
    if not isinstance(raw, dict):
        raise CardFault("a card is no object")
    summary, indicator = raw.get("summary"), raw.get("indicator")
    told = raw.get("source")
    source: dict[str, Any] = told if isinstance(told, dict) else {}
    if not isinstance(summary, str) or not summary.strip() or len(summary) > LONGEST_SUMMARY:
        raise CardFault(f"a card needs a summary of at most {LONGEST_SUMMARY} characters")
    if indicator not in _KINDS:
        raise CardFault("a card's indicator is info, warning or critical")
    if not isinstance(source.get("label"), str):
        raise CardFault("a card needs source.label")
    left_out: list[str] = []
    card = Card(
        key=str(raw.get("uuid") or secrets.token_urlsafe(9)),
        service=service,
        hook=hook,
        summary=summary,
        indicator=indicator,
        detail=render_markdown(str(raw.get("detail") or "")),
        source=source["label"],
        source_url=source.get("url", "") if _safe_address(source.get("url")) else "",
        links=tuple(_links(raw.get("links"), launch_url, left_out)),
        suggestions=tuple(_suggestions(raw.get("suggestions"), patient, left_out)),
        reasons=tuple(_reasons(raw.get("overrideReasons"))),
        many=raw.get("selectionBehavior") == "any",
    )
    return card, left_out


def _safe_address(url: Any) -> bool:
    parts = urlsplit(url) if isinstance(url, str) else None
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def _rows(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _links(value: Any, launch_url: str, left_out: list[str]) -> list[Link]:
    links = []
    for row in _rows(value):
        label, url, smart = str(row.get("label", "")), row.get("url"), row.get("type") == "smart"
        if smart and url != launch_url:
            left_out.append("a SMART link to an address that is not registered was removed")
        elif not smart and not _safe_address(url):
            left_out.append("a link with an address that is not http was removed")
        else:
            context = row.get("appContext")
            links.append(Link(label, str(url), smart, context if smart and isinstance(context, str) else ""))
    return links


def _suggestions(value: Any, patient: str, left_out: list[str]) -> list[Suggestion]:
    found = []
    for row in _rows(value):
        try:
            drafts = tuple(_draft(action, patient) for action in _rows(row.get("actions")))
        except CardFault as fault:
            left_out.append(f"a suggestion was removed: {fault}")
            continue
        found.append(Suggestion(str(row.get("uuid") or ""), str(row.get("label", "")), drafts))
    return found


def _draft(action: dict[str, Any], patient: str) -> Resource:
    resource = action.get("resource")
    if action.get("type") != "create" or not isinstance(resource, dict):
        raise CardFault("this EHR takes actions that create a resource only")
    if resource.get("resourceType") not in _ORDERS:
        raise CardFault("only orders may be created")
    if resource.get("status") != "draft":
        raise CardFault("an order from a card has to be a draft")
    if (resource.get("subject") or {}).get("reference") != f"Patient/{patient}":
        raise CardFault("the order is for another patient")
    return resource


def _reasons(value: Any) -> list[dict[str, str]]:
    return [
        {"code": str(row["code"]), "system": str(row.get("system", "")), "display": str(row["display"])}
        for row in _rows(value)
        if row.get("code") and row.get("display")
    ]


@dataclass(slots=True)
class Panel:
    """What the side panel of one chart holds in one session; `since` numbers the last entry before it was opened."""

    cards: list[Card] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    fired: bool = False
    since: int = 0
    unsigned: bool = False

    def card(self, key: str) -> Card:
        """A card by its key; raises `CardFault` where it is gone."""
        for card in self.cards:
            if card.key == key:
                return card
        raise CardFault("this card is no longer shown")

    def replace(self, service: str, cards: list[Card]) -> None:
        """Newer advice of a service takes the place of its older one."""
        self.cards = [*cards, *(one for one in self.cards if one.service != service)]

    def drop(self, card: Card, words: str) -> None:
        """Takes a card away and remembers what was done with it."""
        self.cards.remove(card)
        self.answered.append(words)


class Panels:
    """Panels by session and patient; the oldest sessions are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, dict[str, Panel]] = {}

    def of(self, session: str, patient: str) -> Panel:
        """The panel of a chart in a session."""
        with self._lock:
            mine = self._sessions.pop(session, {})
            self._sessions[session] = mine
            while len(self._sessions) > _KEPT_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            return mine.setdefault(patient, Panel())

    def open_anew(self, session: str, patient: str) -> Panel:
        """Opening a chart starts an empty panel: advice ends with its context."""
        panel = self.of(session, patient)
        fresh = Panel()
        with self._lock:
            self._sessions[session][patient] = fresh
        del panel
        return fresh
