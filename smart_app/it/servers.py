"""What a site's own servers answer: sign-in, key sets, /metadata, clocks, and our searches for one patient.

Only registered addresses are asked, each within its time, without redirects (T-07, T-08, T-10, T-14). What they
answer is never repeated but for names and addresses of the server itself; no token and nothing of a patient is kept.
"""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from cds_hooks.needs import queries, words_of
from cds_hooks.trust import ALGORITHMS
from ehr.fhir import FhirLink
from ehr.public_keys import KeyRefused, PublicKey, read_key_set, read_public_key
from ehr.queries import ReadState
from ehr.site import Config, Site
from ehr.transport import Answer, Deadline, Transport, TransportFault
from smart_app.it.capability import offered, read_statement
from smart_app.it.finding import Finding, fault, good, warning
from smart_app.it.sign_in import AREA as SIGN_IN
from smart_app.it.sign_in import configured
from smart_app.operations.clock import WARN_SECONDS

MAX_BYTES = 16 << 20
_FHIR, _KEYS, _CLOCK = "FHIR server", "callers' keys", "clock"
_WHY = {
    "down": "cannot be reached (or its certificate does not hold)",
    "deadline": "does not answer in time",
    "too-large": "answers with more than is taken",
    "redirect": "answers with a redirect, which is never followed",
    "bad": "answers with what is no HTTP",
}
_TRY = "Check the address, the firewall for this machine, and the certificate's authority"


@dataclass(slots=True)
class Visit:
    """One site being checked; `skews` gathers by how many seconds each server's clock is ahead of ours."""

    config: Config
    site: Site
    transport: Transport
    seconds: float
    skews: dict[str, float] = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        """Everything that can be asked without a token."""
        yield from self._sign_in()
        yield from self._keys()
        yield from self._metadata()
        yield from self._clock()

    def _sign_in(self) -> Iterator[Finding]:
        smart, name = self.site.smart, self.site.name
        if smart is None:
            return
        url = smart.iss.rstrip("/") + "/.well-known/smart-configuration"
        answer, why = self._get(url, "application/json", "sign-in")
        if answer is None:
            yield fault(SIGN_IN, f"smart-configuration {why}", _TRY, name)
            return
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            mend = "Give the FHIR base in smart.iss exactly as the EHR sends it at launch"
            yield fault(SIGN_IN, "smart-configuration is not a JSON object", mend, name)
            return
        yield from configured(said, self.site, smart)

    def _keys(self) -> Iterator[Finding]:
        found: list[PublicKey] = []
        for url in self.site.jku:
            answer, why = self._get(url, "application/jwk-set+json, application/json", "key set")
            if answer is None:
                mend = f"{_TRY}; until then callers are refused with 401"
                yield fault(_KEYS, f"the key set {why}", mend, self.site.name)
                continue
            try:
                usable = tuple(read_key_set(answer.body).values())
            except KeyRefused as refused:
                yield fault(
                    _KEYS, str(refused), "Ask the EHR's team for its key set's address", self.site.name
                )
                continue
            found += usable
            if not usable:
                mend = "Ask the EHR's team; an empty set lets nobody in"
                yield fault(_KEYS, "the key set is empty", mend, self.site.name)
        found += [read_public_key(jwk) for jwk in self.site.keys]
        taken = [key for key in found if key.algorithms & ALGORITHMS]
        for key in taken:
            yield good(
                _KEYS, f"{'/'.join(sorted(key.algorithms & ALGORITHMS))} {key.thumbprint}", self.site.name
            )
        if found and not taken:
            mend = "The EHR has to sign with RS384 or ES384"
            yield fault(_KEYS, "no key is for RS384 or ES384", mend, self.site.name)

    def _metadata(self) -> Iterator[Finding]:
        bases = dict.fromkeys(
            base.rstrip("/")
            for base in (self.site.fhir_base, self.site.smart.iss if self.site.smart else "")
            if base
        )
        for base in bases:
            answer, why = self._get(f"{base}/metadata", "application/fhir+json", "FHIR")
            if answer is None:
                yield fault(_FHIR, f"{base}/metadata {why}", _TRY, self.site.name)
                continue
            statement = read_statement(answer.body)
            if statement is None:
                mend = "Give the FHIR base itself, as in https://ehr.example.org/fhir/r4"
                yield fault(_FHIR, f"{base}/metadata is no CapabilityStatement", mend, self.site.name)
                continue
            yield from offered(statement, base, self.site.name, test=self.site.test)

    def _clock(self) -> Iterator[Finding]:
        for server, skew in self.skews.items():
            words = f"the {server} server's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours"
            mend = "Set this machine's clock by NTP, then ask the EHR's team about theirs"
            if abs(skew) > WARN_SECONDS:
                yield fault(_CLOCK, f"{words}: tokens may be refused", mend, self.site.name)
            elif abs(skew) > self.config.leeway_s:
                yield warning(_CLOCK, f"{words}, more than leeway_s", mend, self.site.name)
            else:
                yield good(_CLOCK, words, self.site.name)

    def _get(self, url: str, accept: str, server: str) -> tuple[Answer | None, str]:
        """An answer of status 200, or why there is none; notes the server's clock either way."""
        try:
            answer = self.transport.get(
                url, headers={"Accept": accept}, deadline=Deadline.after(self.seconds), max_bytes=MAX_BYTES
            )
        except TransportFault as trouble:
            return None, _WHY[trouble.code]
        skew = _skew(answer)
        if skew is not None:
            self.skews[server] = skew
        return (answer, "") if answer.status == 200 else (None, f"answers with status {answer.status}")

    def searches(self, patient: str, token: str | None) -> Iterator[Finding]:
        """Our reads for one patient, in full; tells whether each was answered, never what was in it."""
        name = self.site.name
        if not self.site.fhir_base:
            yield warning(_FHIR, "no fhir_base: no search can be tried", "Add fhir_base", name)
            return
        link = FhirLink(self.transport)
        deadline = Deadline.after(self.seconds * 3)
        try:
            fetched = link.fetch(self.site, queries(patient), token=token, deadline=deadline)
        finally:
            link.close()
        for one in fetched.values():
            words = f"{one.query.type} ({words_of(one.query.type)})"
            if one.state is ReadState.COMPLETE:
                yield good(_FHIR, f"{words} was read in full, {one.milliseconds:.0f} ms", name)
            elif one.state is ReadState.INCOMPLETE:
                mend = "Nothing of this type will be denied; find out why the EHR cuts it"
                yield warning(_FHIR, f"{words} was read in part: {one.reason} ({one.code})", mend, name)
            else:
                mend = _MENDS.get(one.code, "Ask the EHR's team, or send it by prefetch")
                yield fault(_FHIR, f"{words} was not read: {one.reason} ({one.code})", mend, name)


_MENDS = {
    "no-right": "The token lacks the right: compare the scopes with the registration sheet",
    "not-found": "Check the patient's id and the FHIR base",
    "down": _TRY,
    "deadline": "The server is slower than this check waits (--timeout)",
    "limited": "The server limits calls: ask for a larger share",
}


def _skew(answer: Answer) -> float | None:
    try:
        told = email.utils.parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None
    return round(told.timestamp() - time.time())
