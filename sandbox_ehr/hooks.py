"""The EHR's side of CDS Hooks 2.0.1: discovery, signed calls, cards kept for the panel, feedback."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from sandbox_ehr.access import TokenShelf, narrow
from sandbox_ehr.fhir.records import USER_ID
from sandbox_ehr.fhir.service import FhirService
from sandbox_ehr.happened import Exchange, Happened
from sandbox_ehr.keys import SigningKey
from sandbox_ehr.prefetch import build_prefetch

CLIENT_OF_SERVICE = "postcart-hooks"
_TIMES = (2.0, 8.0)
_TOKEN_LIFE = 120
SERVICE_TYPES = (
    "Patient",
    "Condition",
    "Procedure",
    "Observation",
    "MedicationAdministration",
    "MedicationRequest",
    "ServiceRequest",
    "Medication",
    "DiagnosticReport",
    "Specimen",
)


@dataclass(slots=True)
class Answered:
    """What one hook brought: the exchanges, and problems in words for the panel."""

    exchanges: list[Exchange] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class HookClient:
    """Calls the hook services of one base address as a careful EHR does."""

    def __init__(
        self,
        *,
        cds_base: str,
        root: str,
        key: SigningKey,
        fhir: FhirService,
        tokens: TokenShelf,
        happened: Happened,
    ) -> None:
        self.base = cds_base.rstrip("/")
        self._root = root
        self._key = key
        self._fhir = fhir
        self._tokens = tokens
        self._happened = happened
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def issuer(self) -> str:
        """The `iss` of the tokens with which calls are signed."""
        return self._root

    def fire(self, hook: str, patient: str, more: Mapping[str, Any] | None = None) -> Answered:
        """Calls every service that offers a hook for a patient's chart; `more` joins the context."""
        answered = Answered()
        services = self._discover(patient, answered)
        for service in services:
            if service.get("hook") == hook and isinstance(service.get("id"), str):
                self._call(hook, service, patient, more or {}, answered)
        return answered

    def feedback(self, service: str, patient: str, rows: list[dict[str, Any]]) -> Exchange:
        """Sends feedback rows to the service whose card it was."""
        url = f"{self.base}/cds-services/{service}/feedback"
        return self._post("feedback", service, url, {"feedback": rows}, patient, ())

    def _discover(self, patient: str, answered: Answered) -> list[dict[str, Any]]:
        url = f"{self.base}/cds-services"
        started = time.perf_counter()
        try:
            answer = self._session.get(url, headers=self._headers(url), timeout=_TIMES, allow_redirects=False)
            body = answer.json() if answer.status_code == 200 else {}
        except (requests.RequestException, ValueError) as error:
            problem = f"The service list could not be read ({type(error).__name__})."
            answered.problems.append(problem)
            self._note(("discovery", "", url), 0, started, None, None, patient, (), problem)
            return []
        services = body.get("services") if isinstance(body, dict) else None
        if not isinstance(services, list):
            problem = f"The service list was refused ({answer.status_code})."
            answered.problems.append(problem)
            self._note(("discovery", "", url), answer.status_code, started, None, body, patient, (), problem)
            return []
        return [one for one in services if isinstance(one, dict)]

    def _call(
        self,
        hook: str,
        service: Mapping[str, Any],
        patient: str,
        more: Mapping[str, Any],
        answered: Answered,
    ) -> None:
        context = {"userId": f"Practitioner/{USER_ID}", "patientId": patient, **more}
        body: dict[str, Any] = {"hook": hook, "hookInstance": str(uuid.uuid4()), "context": context}
        if not self._fhir.switches.now.no_token:
            body["fhirServer"] = self._fhir.base
            body["fhirAuthorization"] = self._authorization(patient)
        prefetch = build_prefetch(self._fhir, service.get("prefetch") or {}, context, patient)
        if prefetch.values:
            body["prefetch"] = prefetch.values
        url = f"{self.base}/cds-services/{service['id']}"
        exchange = self._post(hook, service["id"], url, body, patient, tuple(prefetch.notes))
        answered.exchanges.append(exchange)
        if exchange.problem:
            answered.problems.append(exchange.problem)

    def _authorization(self, patient: str) -> dict[str, Any]:
        switches = self._fhir.switches
        v1 = switches.now.v1_only
        asked = [f"patient/{kind}.{'read' if v1 else 'rs'}" for kind in SERVICE_TYPES]
        scopes = narrow(asked, switches.withheld(), v1_only=v1)
        seconds = 5 if switches.now.short_tokens else 300
        token = self._tokens.give(CLIENT_OF_SERVICE, scopes, patient, seconds)
        return {
            "access_token": token.value,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": " ".join(scopes),
            "subject": CLIENT_OF_SERVICE,
            "patient": patient,
        }

    def _headers(self, url: str) -> dict[str, str]:
        now = int(time.time())
        claims = {
            "iss": self._root,
            "aud": url,
            "iat": now,
            "exp": now + _TOKEN_LIFE,
            "jti": str(uuid.uuid4()),
        }
        signed = self._key.sign(claims, jku=f"{self._root}/.well-known/jwks.json")
        return {"Authorization": f"Bearer {signed}", "Accept": "application/json"}

    def _post(
        self, hook: str, service: str, url: str, body: dict[str, Any], patient: str, notes: tuple[str, ...]
    ) -> Exchange:
        started = time.perf_counter()
        status, answer, problem = 0, None, ""
        try:
            response = self._session.post(
                url, json=body, headers=self._headers(url), timeout=_TIMES, allow_redirects=False
            )
            status = response.status_code
            answer = response.json() if response.content else None
            if status != 200:
                problem = f"{service} answered {status}: {_said(answer)}"
        except requests.Timeout:
            problem = f"{service} did not answer in time."
        except (requests.RequestException, ValueError) as error:
            problem = f"{service} gave no usable answer ({type(error).__name__})."
        return self._note((hook, service, url), status, started, body, answer, patient, notes, problem)

    def _note(
        self,
        what: tuple[str, str, str],
        status: int,
        started: float,
        body: Any,
        answer: Any,
        patient: str,
        notes: tuple[str, ...],
        problem: str,
    ) -> Exchange:
        took = round((time.perf_counter() - started) * 1000, 1)
        number = self._happened.next_number()
        exchange = Exchange(
            number, patient, what[0], what[1], what[2], status, took, body, answer, notes, problem
        )
        self._happened.add_exchange(exchange)
        return exchange


def _said(answer: Any) -> str:
    """The first sentence of an OperationOutcome; empty words where there is none."""
    issues = answer.get("issue") if isinstance(answer, dict) else None
    first = issues[0] if isinstance(issues, list) and issues and isinstance(issues[0], dict) else {}
    details = first.get("details")
    text = first.get("diagnostics") or (details.get("text") if isinstance(details, dict) else "")
    return str(text or "no reason given")[:300]


def utc_now() -> str:
    """The moment as feedback wants it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
