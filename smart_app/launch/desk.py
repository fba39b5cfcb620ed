"""What happens to a workspace's chart: read it in the background, evaluate it, lay statements over it, find a record."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from cds_hooks.memory import FeedbackRow, StoreDown
from ehr.queries import Fetched, Query
from ehr.reading import charts_from
from ehr.site import Site
from ehr.transport import Deadline
from mappings.evaluation import Evaluation
from smart_app.launch.charts import Chart, Step
from smart_app.launch.fault import LaunchFault
from smart_app.launch.opening import Opening
from smart_app.launch.parts import LaunchParts
from smart_app.launch.queries import (
    allowed,
    chart_queries,
    narrowed,
    records_of,
    referred_queries,
    resources_of,
)
from smart_app.launch.renewal import Renewal
from smart_app.launch.session import Session
from smart_app.launch.vault import Opened, Vault

SERVICE = "post-car-t-relapse"
FEEDBACK_SYSTEM = "https://postcart.org/fhir/CodeSystem/page-feedback"
MOST_STATED = 20
STATED_LIFE_S = 30 * 60
_NEW_TOKENS = 6


class Desk:
    """Works on charts of opened workspaces; everything it is told about is the workspace it was opened with."""

    def __init__(self, parts: LaunchParts, vault: Vault, opening: Opening) -> None:
        self._parts = parts
        self._vault = vault
        self._renewal = Renewal(
            vault,
            lambda opened: opening.token_endpoint(opened.site, opened.session.token_endpoint),
            parts.clock,
        )

    def chart(self, opened: Opened) -> Chart:
        """The workspace's chart; reading begins here where this worker does not hold it yet."""
        there = self._parts.charts.get(opened.name)
        if there is not None and there.patient == opened.session.patient:
            return there
        return self.read(opened, ())

    def ready_chart(self, opened: Opened) -> tuple[Chart, Evaluation]:
        """The chart with its evaluation; raises `LaunchFault` (`not-ready`) while it is being read."""
        chart = self.chart(opened)
        if chart.fault:
            raise LaunchFault(chart.fault)
        if chart.evaluation is None:
            raise LaunchFault("not-ready")
        return chart, chart.evaluation

    def read(self, opened: Opened, only: Iterable[str]) -> Chart:
        """Begins to read the chart, or only the queries of these keys again, keeping what the others brought."""
        again = frozenset(only)
        before = self._parts.charts.get(opened.name)
        kept: dict[str, Fetched] = {}
        if again and before is not None:
            kept = {key: one for key, one in before.fetched.items() if key not in again}
        queries = tuple(q for q in chart_queries(opened.session.patient) if q.key not in kept)
        steps = {
            **{one.query.key: _done(one) for one in kept.values()},
            **{query.key: Step(query) for query in queries},
        }
        chart = Chart(
            patient=opened.session.patient,
            steps=steps,
            fetched=kept,
            began=self._parts.clock().timestamp(),
        )
        return self._parts.charts.begin(
            opened.name,
            chart,
            lambda: self._work(opened, queries, kept),
            idle_s=opened.site.idle_minutes * 60.0,
        )

    def _work(self, opened: Opened, queries: tuple[Query, ...], kept: Mapping[str, Fetched]) -> None:
        """The background job. Whatever goes wrong ends in a screen, never in a page that waits for ever."""
        fault = "unforeseen"
        try:
            self._read_and_judge(opened, queries, kept)
            fault = ""
        except LaunchFault as known:
            fault = known.code
        except StoreDown:
            fault = "store-down"
        finally:
            if fault:
                self._parts.charts.change(opened.name, lambda chart: replace(chart, fault=fault))
                self._parts.note("chart-read-failed", code=fault)

    def _read_and_judge(
        self, opened: Opened, queries: tuple[Query, ...], kept: Mapping[str, Fetched]
    ) -> None:
        scopes = opened.session.scopes
        deadline = Deadline.after(self._parts.read_wait_s)
        asked, withheld = allowed(queries, scopes)
        for one in withheld.values():
            self._parts.charts.step(opened.name, one.query, 0, "withheld")
        found = {**kept, **withheld, **self._fetch(opened, asked, deadline)}
        referred, hidden = allowed(referred_queries(found), scopes)
        found = {**found, **hidden, **self._fetch(opened, referred, deadline)}
        found = narrowed(found, scopes)
        self._check_patient(found, opened.session.patient)
        moment = self._parts.moment()
        decoded = charts_from(found, fhir_base=opened.site.fhir_base)
        evaluation = self._parts.evaluate(
            decoded, opened.session.patient, moment, self._parts.regions_of(opened.site)
        )
        steps = {
            one.query.key: _done(one) for one in found.values() if not one.query.key.startswith("referred-")
        }
        self._parts.charts.change(
            opened.name,
            lambda chart: replace(
                chart,
                steps=steps,
                fetched=found,
                evaluation=evaluation,
                records=records_of(found),
                read_at=moment,
            ),
        )

    def _fetch(self, opened: Opened, queries: tuple[Query, ...], deadline: Deadline) -> dict[str, Fetched]:
        """Reads with a fresh token each time the EHR has refused one; ends with the workspace where it says so."""
        found: dict[str, Fetched] = {}
        left = queries
        ended: list[LaunchFault] = []
        for _ in range(_NEW_TOKENS):
            token = self._renewal.token(opened.name)

            def renew(refused: str = token) -> str | None:
                try:
                    return self._renewal.renewed(opened.name, refused)
                except LaunchFault as fault:
                    ended.append(fault)
                    return None

            found.update(
                self._parts.link.fetch(
                    opened.site,
                    left,
                    token=token,
                    deadline=deadline,
                    request_id=self._parts.request_id(),
                    renew=renew,
                    progress=lambda query, pages, state: self._parts.charts.step(
                        opened.name, query, pages, state
                    ),
                )
            )
            if ended:
                raise ended[0]
            left = tuple(one.query for one in found.values() if one.code == "no-right" and one.status == 401)
            if not left or deadline.passed or self._renewal.token(opened.name) == token:
                break
        return found

    @staticmethod
    def _check_patient(found: Mapping[str, Fetched], patient: str) -> None:
        """Refuses to go on where the patient record that came is somebody else's (H-01)."""
        one = found.get("patient")
        for _, head in resources_of(one) if one is not None else ():
            if head.resourceType == "Patient" and head.id != patient:
                raise LaunchFault("wrong-patient")

    def state_add(self, opened: Opened, form: Mapping[str, str]) -> Session:
        """Adds a statement of the user to the workspace."""
        now = self._parts.clock().timestamp()

        def add(session: Session) -> Session:
            live = stated_now(session, now)
            return replace(session, stated=(*live, {**form, "at": str(now)})[-MOST_STATED:], stated_at=now)

        return self._vault.change(opened.name, add)

    def state_drop(self, opened: Opened, number: int) -> Session:
        """Takes one statement back by its number, or all of them for 0."""
        now = self._parts.clock().timestamp()

        def drop(session: Session) -> Session:
            live = stated_now(session, now)
            left = () if number == 0 else tuple(one for i, one in enumerate(live, 1) if i != number)
            return replace(session, stated=left)

        return self._vault.change(opened.name, drop)

    def feedback(self, opened: Opened, *, reason: str, display: str, comment: str) -> None:
        """Stores coded feedback on what the page says; raises `StoreDown`. No record and no patient is named."""
        if self._parts.memory is None:
            raise StoreDown
        now = self._parts.clock()
        card = opened.session.card or str(uuid.uuid5(uuid.NAMESPACE_URL, f"postcart:{opened.name}"))
        self._parts.memory.record_feedback(
            [
                FeedbackRow(
                    at=now,
                    site=opened.site.name,
                    service=SERVICE,
                    card=card,
                    outcome="overridden",
                    outcome_timestamp=now.isoformat(timespec="milliseconds"),
                    reason_code=reason,
                    reason_system=FEEDBACK_SYSTEM,
                    reason_display=display,
                    comment=comment,
                )
            ]
        )

    def close(self, opened: Opened) -> None:
        """Ends the workspace: tokens and chart are gone."""
        self._vault.end(opened.name)
        self._parts.charts.drop(opened.name)


def stated_now(session: Session, now: float) -> tuple[Mapping[str, str], ...]:
    """The statements that still stand: they end thirty minutes after the last of them was made (H-46)."""
    return tuple(session.stated) if now - session.stated_at < STATED_LIFE_S else ()


def _done(one: Fetched) -> Step:
    return Step(
        one.query,
        "withheld" if one.code == "no-right" and not one.requests else one.state.value,
        len(one.pages),
        one.reason,
    )


def moment_of(stated: Mapping[str, str], zone_of: datetime) -> datetime:
    """When a statement was made."""
    return datetime.fromtimestamp(float(stated["at"]), tz=zone_of.tzinfo)


def site_words(site: Site) -> str:
    """How a site is called on the page."""
    return site.name
