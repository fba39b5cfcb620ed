"""The gaps of a prefetch, and filling them from the site's own FHIR server.

Each key is absent, null, complete, an OperationOutcome, cut short or of a wrong type or patient; what is absent or cut
is read, in parallel and within the deadline, and what stays unseen keeps its reason in words.
Sources: CDS Hooks 2.0.1 prefetch and FHIR access; rules 11.5; T-07; hazards H-01, H-08, H-09.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from cds_hooks.access import Access, read_access
from cds_hooks.key_states import KeyState, states_of
from cds_hooks.needs import NEEDS, Need, queries
from cds_hooks.outcome import Refusal
from ehr.asking import WORDS
from ehr.fhir import FhirLink
from ehr.paging import next_of
from ehr.queries import Fetched, Query, ReadState
from ehr.reading import add_read
from ehr.references import add_references, missing_references
from ehr.scopes import Right
from ehr.site import Site
from ehr.transport import Deadline
from mappings.reading.decode import Decoded, ReadNote

_UNREGISTERED = "the FHIR server named is not registered for this site"
_PARTLY = "the EHR gave the right to read a part of it only"
_MOVED = "given under "
_ROUND = 0.2


class PatientContext(Protocol):
    """The one thing that is used of a hook's context: whose chart it is."""

    @property
    def patientId(self) -> str: ...  # noqa: N802  name as on the wire


@dataclass(frozen=True, slots=True)
class GapReport:
    """What was done about the gaps of one call, in closed labels only.

    `keys`: per prefetch key `absent`, `null`, `complete`, `outcome`, `cut`, `wrong-type`, `other-patient`, or after a
    read `fetched`, `fetched-incomplete`, `failed:<code>`; `given`: the same before any read. `codes` are the outcome
    codes of reads for metrics, `requests` counts what left, `references` those among them that followed a reference,
    `milliseconds` how long the reads took together.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    server_not_registered: bool = False
    requests: int = 0
    codes: tuple[str, ...] = ()
    milliseconds: float = 0.0
    references: int = 0


def fill_gaps(
    decoded: Decoded,
    context: PatientContext,
    site: Site | None,
    link: FhirLink | None,
    deadline: Deadline,
    *,
    needs: Sequence[Need] = NEEDS,
    request_id: str = "",
) -> GapReport:
    """Reads what a prefetch lacks into `decoded` and says what was done; raises `Refusal` 412 where the site asks so.

    Nothing leaves unless the request's `fhirServer` is the site's own as parsed address, and a token goes with it
    (or the site is a test site).
    """
    patient_id = context.patientId
    given = states_of(decoded, needs, patient_id)
    access = read_access(decoded.request, site, patient_id)
    wanted = [need for need in needs if given[need.key].wants_read]
    done: dict[str, Fetched] = {}
    pointed: dict[str, Fetched] = {}
    began = time.monotonic()
    if access.server_not_registered:
        for need in wanted:
            _note(decoded, need, given[need.key], _UNREGISTERED)
    elif site is not None and link is not None and access.usable:
        done = _read(decoded, patient_id, wanted, given, access, site, link, deadline, request_id)
        pointed = _follow(decoded, access, site, link, deadline, request_id)
    _apply_faults(decoded, needs, given, done, site)
    return GapReport(
        keys={key: _told(state, done.get(key)) for key, state in given.items()},
        given={key: state.value for key, state in given.items()},
        server_not_registered=access.server_not_registered,
        requests=sum(one.requests for one in (*done.values(), *pointed.values())),
        codes=tuple(one.code for one in (*done.values(), *pointed.values())),
        milliseconds=(time.monotonic() - began) * 1000,
        references=sum(one.requests for one in pointed.values()),
    )


def _read(
    decoded: Decoded,
    patient_id: str,
    wanted: list[Need],
    given: Mapping[str, KeyState],
    access: Access,
    site: Site,
    link: FhirLink,
    deadline: Deadline,
    request_id: str,
) -> dict[str, Fetched]:
    """Asks for what is wanted and allowed, and puts the answers into `decoded`."""
    asked: list[Query] = []
    done: dict[str, Fetched] = {}
    for need in wanted:
        query = _query(decoded, need, patient_id, given[need.key])
        if access.scopes.right(need.type, search=query.path == need.type) is Right.NONE:
            done[need.key] = Fetched(query, ReadState.FAILED, (), WORDS["no-right"], "no-right")
        else:
            asked.append(query)
    done |= link.fetch(site, asked, token=access.token, deadline=deadline, request_id=request_id)
    for need in wanted:
        done[need.key] = _merge(decoded, need, given[need.key], access, done[need.key])
    return done


def _follow(
    decoded: Decoded, access: Access, site: Site, link: FhirLink, deadline: Deadline, request_id: str
) -> dict[str, Fetched]:
    """One more round, if time is left: the few resources that the chart points to and that decide."""
    if deadline.left() < _ROUND:
        return {}
    asked = [
        query
        for query in missing_references(decoded, site)
        if access.scopes.right(query.type, search=False) in (Right.WHOLE, Right.UNKNOWN)
    ]
    found = link.fetch(site, asked, token=access.token, deadline=deadline, request_id=request_id)
    add_references(decoded, found)
    return found


def _query(decoded: Decoded, need: Need, patient_id: str, state: KeyState) -> Query:
    """The query for a key: from its `next` link on where it was cut there, else from the beginning."""
    query = queries(patient_id, need.type)[0]
    value = decoded.keys.get(need.key)
    if state is KeyState.CUT and value is not None:
        return replace(query, url=next_of(value.link).strip())
    return query


def _merge(decoded: Decoded, need: Need, state: KeyState, access: Access, one: Fetched) -> Fetched:
    """Puts one answer into `decoded`, after what was given of it; says what became of it there."""
    given = decoded.keys.pop(need.key, None)
    if given is not None and state in (KeyState.WRONG_TYPE, KeyState.OTHER_PATIENT):
        moved = f"{_MOVED}{need.key}"
        decoded.keys[moved] = given
        decoded.fetched[moved] = ReadNote(need.type, "not-seen", "")
        given = None
    if one.state is ReadState.COMPLETE and state is KeyState.CUT and not one.query.url:
        given = None  # read from the beginning: the whole replaces the part
    add_read(decoded, need.key, one, onto=given)
    noted = decoded.fetched[need.key]
    part = bool(one.query.search) and access.scopes.right(need.type, search=True) is Right.PART
    if part and noted.state == "complete":
        decoded.fetched[need.key] = ReadNote(need.type, "incomplete", _PARTLY)
        return replace(one, state=ReadState.INCOMPLETE, reason=_PARTLY, code="no-right")
    if one.state is ReadState.COMPLETE and noted.state != "complete":
        state_now = ReadState.FAILED if noted.state == "not-seen" else ReadState.INCOMPLETE
        return replace(one, state=state_now, reason=noted.reason, code="bad")
    return one


def _note(decoded: Decoded, need: Need, state: KeyState, reason: str) -> None:
    """Leaves the reason why a key that wanted reading was not read; what was given of it stays."""
    partly = state is KeyState.CUT
    if state in (KeyState.ABSENT, KeyState.NULL, KeyState.CUT):
        decoded.fetched[need.key] = ReadNote(need.type, "incomplete" if partly else "not-seen", reason)


def _apply_faults(
    decoded: Decoded,
    needs: Sequence[Need],
    given: Mapping[str, KeyState],
    done: Mapping[str, Fetched],
    site: Site | None,
) -> None:
    """What the site wants of an OperationOutcome or failed read: 412, no words, or words on the card (default)."""
    if site is None:
        return
    for need in needs:
        one = done.get(need.key)
        faulty = given[need.key] is KeyState.OUTCOME or (one is not None and one.state is ReadState.FAILED)
        wish = site.prefetch_faults.get(need.key, "show")
        if not faulty or wish == "show":
            continue
        if wish == "fail":
            raise Refusal(
                412, "data-needed", f"{need.type} could neither be taken nor read", f"prefetch.{need.key}"
            )
        partly = given[need.key] is KeyState.CUT
        decoded.fetched[need.key] = ReadNote(
            need.type, "incomplete" if partly else "not-seen", "cut short" if partly else "not given"
        )


def _told(state: KeyState, one: Fetched | None) -> str:
    if one is None:
        return state.value
    if one.state is ReadState.FAILED:
        return f"failed:{one.code}"
    return "fetched" if one.state is ReadState.COMPLETE else "fetched-incomplete"
