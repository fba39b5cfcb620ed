"""One hook call from bytes to bytes: decode, check, fill gaps, evaluate, say it in cards, remember that it was said."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from cds_hooks.advice import AdvisedCard, Judgement, Linking, advise, cards_as_json
from cds_hooks.envelope import Context, check_envelope
from cds_hooks.extension import NAME, extension
from cds_hooks.gaps import GapReport, fill_gaps
from cds_hooks.listing import OFFERED, SERVICE_HOOKS
from cds_hooks.memory import CallRecord, Memory, StoreDown
from cds_hooks.needs import ESSENTIAL
from cds_hooks.outcome import Refusal
from ehr.transport import Deadline
from mappings.evaluation import Evaluation, RelapseCategory
from mappings.reading.decode import Decoded, decode_request
from mappings.reading.guard import BadBody

if TYPE_CHECKING:
    from cds_hooks.trust import Caller
    from ehr.fhir import FhirLink
    from ehr.site import Site

_encode = msgspec.json.Encoder().encode
_BAD_BODY_STATUS = {"too-large": 413}
_NOT_REGISTERED = "The FHIR server this call names is not registered for this site: nothing was read from it."


@dataclass(frozen=True, slots=True)
class HookCall:
    """One call as it came in; `caller` is None only where unauthenticated calls are allowed.

    `started` is on the clock of `time.monotonic`, so that one deadline covers the whole call.
    """

    body: bytes
    service: str
    caller: Caller | None = None
    started: float = field(default_factory=time.monotonic)
    request_id: str = ""

    @property
    def site(self) -> Site | None:
        """The site that calls, if it proved who it is."""
        return self.caller.site if self.caller is not None else None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answered call: the response as bytes, and what may be logged and counted of it (closed labels, random ids).

    `kinds` and `cards` are those that went out, or in silent mode would have.
    """

    body: bytes
    category: str
    kinds: tuple[str, ...]
    hook: str = ""
    instance: str = ""
    cards: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    gaps: GapReport = field(default_factory=GapReport)
    repaired: int = 0
    silent: bool = False
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class HookService:
    """The hook service with what it needs to answer; holds nothing of any patient.

    `as_of` fixes the moment of judgement for unauthenticated calls and test sites; `opened` adds the extension to
    the response itself. `pseudonym` is a keyed hash of (site, text). Without `link` nothing is ever fetched.
    """

    judge: Callable[[Site | None], Judgement]
    public_url: Callable[[], str]
    hooks: Callable[[], Collection[str]] = lambda: OFFERED
    memory: Memory | None = None
    pseudonym: Callable[[str, str], str] = lambda site, text: ""
    link: FhirLink | None = None
    deadline_s: Callable[[], float] = lambda: 2.0
    as_of: datetime | None = None
    opened: bool = False
    context_key: bytes = b""

    def answer(self, call: HookCall) -> Answer:
        """Answers one request body; raises `Refusal` where no honest answer is possible."""
        hooks = self.hooks_of(call.service, call.site)
        decoded = _decoded(call.body)
        context = check_envelope(call.body, decoded, hooks)
        _check_patient(decoded, context.patientId)
        gaps = self._filled(call, context, decoded)
        judgement = self.judge(call.site)
        evaluate = judgement.evaluator_for(context)
        evaluation = evaluate(decoded, context.patientId, self._moment(call.site))
        _check_essentials(evaluation, gaps)
        notes = (_NOT_REGISTERED,) if gaps.server_not_registered else ()
        due = _advised(evaluation, judgement, context, decoded, call.site, notes)
        shown = self._without_overridden(due, call.site, context)
        response = self._response(shown, evaluation, call.site, context)
        answer = Answer(
            body=_encode(response),
            category=evaluation.assessment.category.value,
            kinds=tuple(card.kind for card in shown),
            hook=_text(decoded.request.hook if decoded.request else ""),
            instance=_text(decoded.request.hookInstance if decoded.request else ""),
            cards=tuple(card.uuid for card in shown),
            keys={seen.type: seen.state for seen in evaluation.facts.seen},
            gaps=gaps,
            repaired=decoded.repaired,
            silent=_silent(call.site),
            suppressed=len(due) - len(shown),
        )
        self._record(call, context, evaluation, shown, answer)
        return answer

    def hooks_of(self, service: str, site: Site | None) -> frozenset[str]:
        """The hooks this service answers for this site; `Refusal` 404 where there is no such service."""
        offered = frozenset(self.hooks()) & frozenset(SERVICE_HOOKS.get(service, ()))
        if site is not None and site.hooks:
            offered &= frozenset(site.hooks)
        if not offered:
            raise Refusal(404, "unknown-service", "there is no service of this id")
        return offered

    def _filled(self, call: HookCall, context: Context, decoded: Decoded) -> GapReport:
        left = max(0.0, self.deadline_s() - (time.monotonic() - call.started))
        link = self.link if call.site is not None else None
        return fill_gaps(decoded, context, call.site, link, Deadline.after(left), request_id=call.request_id)

    def _moment(self, site: Site | None) -> datetime:
        fixed = self.as_of if site is None or site.test else None
        return fixed if fixed is not None else datetime.now(UTC)

    def _without_overridden(
        self, due: tuple[AdvisedCard, ...], site: Site | None, context: Context
    ) -> tuple[AdvisedCard, ...]:
        """Drops cards this user overrode with a reason on the very same facts; without a store all are shown (H-44)."""
        if not due or self.memory is None or site is None or not site.suppress_overridden:
            return due
        user = self.pseudonym(site.name, context.userId)
        patient = self.pseudonym(site.name, context.patientId)
        try:
            gone = {
                (digest, kind)
                for digest in {card.digest for card in due}
                for kind in self.memory.overridden(site.name, user, patient, digest)
            }
        except StoreDown:
            return due
        return tuple(card for card in due if (card.digest, card.kind) not in gone)

    def _response(
        self, shown: tuple[AdvisedCard, ...], evaluation: Evaluation, site: Site | None, context: Context
    ) -> dict[str, object]:
        silent = _silent(site)
        linking = Linking(self.public_url(), self.context_key)
        response: dict[str, object] = {
            "cards": [] if silent else cards_as_json(shown, evaluation, linking, site, context.patientId)
        }
        if (self.opened and site is None) or (site is not None and site.test and not silent):
            response["extension"] = {NAME: extension(evaluation)}
        return response

    def _record(
        self,
        call: HookCall,
        context: Context,
        evaluation: Evaluation,
        shown: tuple[AdvisedCard, ...],
        answer: Answer,
    ) -> None:
        """One audit row; a store that is down keeps no card back, its own counters say so."""
        if self.memory is None:
            return
        site = call.site.name if call.site is not None else ""
        record = CallRecord(
            at=datetime.now(UTC),
            site=site,
            service=call.service,
            hook=answer.hook,
            hook_instance=answer.instance,
            tenant=call.caller.tenant if call.caller is not None else "",
            patient_key=self.pseudonym(site, context.patientId),
            user_key=self.pseudonym(site, context.userId),
            category=answer.category,
            knowledge_digest=evaluation.knowledge.digest,
            milliseconds=(time.monotonic() - call.started) * 1000,
            silent=answer.silent,
            suppressed=answer.suppressed,
            keys=answer.gaps.keys,
            cards=tuple(card.shown() for card in shown),
        )
        try:
            self.memory.record_call(record)
        except StoreDown:
            return


def _silent(site: Site | None) -> bool:
    return site is not None and site.silent


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _decoded(body: bytes) -> Decoded:
    try:
        return decode_request(body)
    except BadBody as fault:
        raise _bad_body(fault) from fault


def _advised(
    evaluation: Evaluation,
    judgement: Judgement,
    context: Context,
    decoded: Decoded,
    site: Site | None,
    notes: tuple[str, ...],
) -> tuple[AdvisedCard, ...]:
    """The cards that are due; draft orders are read only here, and may turn out to be no Bundle."""
    try:
        return advise(evaluation, judgement, context, decoded, site, notes)
    except BadBody as fault:
        raise _bad_body(fault) from fault


def _bad_body(fault: BadBody) -> Refusal:
    return Refusal(_BAD_BODY_STATUS.get(fault.code, 400), fault.code, str(fault), fault.field)


def _check_patient(decoded: Decoded, patient_id: str) -> None:
    """Refuses a chart whose Patient is somebody else than the context names (hazard H-01)."""
    for value in decoded.keys.values():
        if value is not None and value.resourceType == "Patient" and value.id != patient_id:
            raise Refusal(
                412,
                "other-patient",
                "the Patient given is not the one of context.patientId",
                "prefetch.patient",
            )


def _check_essentials(evaluation: Evaluation, gaps: GapReport) -> None:
    """412 where nothing can be said; a chart that shows CAR T gets a card with its gaps (rules 11.5)."""
    if evaluation.facts.infusions or evaluation.assessment.category is not RelapseCategory.INSUFFICIENT_DATA:
        return
    states = {seen.type: seen.state for seen in evaluation.facts.seen}
    for group in ESSENTIAL:
        if all(states.get(name, "not-seen") == "not-seen" for name in group):
            why = "was neither given nor can it be fetched"
            if gaps.server_not_registered:
                why = "was not given, and the FHIR server named is not registered for this site"
            raise Refusal(412, "data-needed", f"{' or '.join(group)} {why}", "prefetch")
