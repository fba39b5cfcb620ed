"""What became of the cards: how many went out, were accepted or overridden, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Select, case, func, select

from smart_app.store.tables import CARD, FEEDBACK

UNKNOWN = "(card not known)"
NO_REASON = "(no reason)"


@dataclass(slots=True)
class Acceptance:
    """Counts of one kind of card in one category at one site. `reasons` counts overrides by code."""

    site: str
    category: str
    kind: str
    shown: int = 0
    accepted: int = 0
    overridden: int = 0
    comments: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


def acceptance(
    connection: Connection, site: str = "", since: datetime | None = None
) -> tuple[Acceptance, ...]:
    """One entry for each site, category and kind, in order; feedback on cards we do not know stands apart.

    `since` bounds cards by when they went out and feedback by when it came in. Cards of silent mode went to
    nobody and are left out.
    """
    found: dict[tuple[str, str, str], Acceptance] = {}

    def entry(row_site: str, category: str | None, kind: str | None) -> Acceptance:
        key = (row_site, category or UNKNOWN, kind or "")
        return found.setdefault(key, Acceptance(*key))

    for card in connection.execute(_shown(site, since)):
        entry(card.site, card.category, card.kind).shown = card.cards
    for row in connection.execute(_said(site, since)):
        one = entry(row.site, row.category, row.kind)
        one.comments += int(row.comments)
        if row.outcome == "accepted":
            one.accepted += row.answers
            continue
        one.overridden += row.answers
        reason = row.reason_code or NO_REASON
        one.reasons[reason] = one.reasons.get(reason, 0) + row.answers
    return tuple(found[key] for key in sorted(found))


def _shown(site: str, since: datetime | None) -> Select[tuple[str, str, str, int]]:
    query = select(CARD.c.site, CARD.c.category, CARD.c.kind, func.count().label("cards")).where(
        ~CARD.c.silent
    )
    if site:
        query = query.where(CARD.c.site == site)
    if since is not None:
        query = query.where(CARD.c.at >= since)
    return query.group_by(CARD.c.site, CARD.c.category, CARD.c.kind)


def _said(site: str, since: datetime | None) -> Select[tuple[str, str, str, str, str, int, int]]:
    given = (FEEDBACK.c.site, CARD.c.category, CARD.c.kind, FEEDBACK.c.outcome, FEEDBACK.c.reason_code)
    with_words = func.sum(case((func.length(FEEDBACK.c.comment) > 0, 1), else_=0))
    same = (FEEDBACK.c.site == CARD.c.site) & (FEEDBACK.c.card == CARD.c.card)
    query = select(*given, func.count().label("answers"), with_words.label("comments"))
    query = query.select_from(FEEDBACK.outerjoin(CARD, same))
    if site:
        query = query.where(FEEDBACK.c.site == site)
    if since is not None:
        query = query.where(FEEDBACK.c.at >= since)
    return query.group_by(*given)
