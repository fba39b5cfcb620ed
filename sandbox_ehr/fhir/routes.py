"""The FHIR R4 address: token first, then scope, then parameters, each refusal with an OperationOutcome."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode

from flask import Blueprint, Response, g, request

from sandbox_ehr.access import ResourceScope, Token, TokenShelf
from sandbox_ehr.fhir.bundles import operation_outcome
from sandbox_ehr.fhir.capability import capability_statement
from sandbox_ehr.fhir.search import PARAMETERS, Search, SearchFault
from sandbox_ehr.happened import Happened, Query
from sandbox_ehr.switches import SLOW_SECONDS

if TYPE_CHECKING:
    from sandbox_ehr.fhir.records import Resource
    from sandbox_ehr.fhir.service import FhirService

_JSON = "application/fhir+json"
_ACCEPTED = (_JSON, "application/json")


class Refused(Exception):
    """A FHIR request that is not answered: status, issue code and one sentence."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    service: FhirService
    tokens: TokenShelf
    happened: Happened
    root: str
    today: date


def _answer(body: Resource, status: int = 200) -> Response:
    response = Response(json.dumps(body, ensure_ascii=False), status=status, mimetype=_JSON)
    response.headers["Cache-Control"] = "no-store"
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return response


def _bearer(tokens: TokenShelf) -> Token:
    header = request.headers.get("Authorization", "")
    scheme, _, value = header.partition(" ")
    token = tokens.find(value.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise Refused(401, "login", "a valid Bearer token is needed")
    return token


def _scopes(token: Token, kind: str, act: str) -> list[ResourceScope]:
    scopes = token.allows(kind, act)
    if not scopes:
        raise Refused(403, "forbidden", f"the granted scopes do not cover {kind} ({act})")
    return scopes


def _check_context(search: Search, token: Token, scopes: list[ResourceScope]) -> None:
    """With patient scopes a search names exactly the patient in context."""
    if any(scope.level == "user" for scope in scopes) or search.type in ("Medication", "Practitioner"):
        return
    if search.type == "Patient":
        asked = {one for name, texts in search.filters if name == "_id" for one in texts}
    else:
        asked = set(search.patients or ())
    if asked != {token.patient}:
        raise Refused(403, "forbidden", "the search is not limited to the patient in context")


def _check_limits(search: Search) -> None:
    """A search over everybody is refused: it names a patient, an id or, for a type of nobody's, anything."""
    if search.type in ("Practitioner", "Medication") or search.patients or search.filters:
        return
    raise Refused(400, "required", f"a search for {search.type} needs patient, subject or _id")


def fhir_routes(parts: Parts) -> Blueprint:
    """The routes under /fhir."""
    routes = Blueprint("fhir", __name__, url_prefix="/fhir")
    service = parts.service

    def recorded(what: str, started: float, response: Response) -> Response:
        token: Token | None = g.get("token")
        client, patient = (token.client, token.patient) if token else ("", "")
        body = response.get_json(force=True, silent=True) or {}
        entries = sum(
            1 for one in body.get("entry", ()) if one.get("search", {}).get("mode") == "match"
        ) or int(response.status_code == 200 and body.get("resourceType") != "Bundle")
        took = round((time.perf_counter() - started) * 1000, 1)
        number = parts.happened.next_number()
        row = Query(number, client, patient, request.method, what, response.status_code, entries, took)
        parts.happened.add_query(row)
        return response

    @routes.get("/metadata")
    def metadata() -> Response:
        return _answer(capability_statement(service.base, parts.root, parts.today.isoformat()))

    @routes.get("/<kind>/<name>")
    def read(kind: str, name: str) -> Response:
        started = time.perf_counter()
        try:
            token = _begin(kind, parts)
            if request.args:
                raise Refused(400, "not-supported", "a read takes no parameters here")
            scopes = _scopes(token, kind, "r")
            found = service.records.get(kind, name)
            if found is None:
                raise Refused(404, "not-found", f"there is no such {kind}")
            owner = found["id"] if kind == "Patient" else service.records.owner(kind, name)
            if owner and owner != token.patient and not any(one.level == "user" for one in scopes):
                raise Refused(403, "forbidden", "this record belongs to another patient")
            response = _answer(found)
        except Refused as fault:
            response = _answer(operation_outcome("error", fault.code, fault.text), fault.status)
        return recorded(f"{kind}/{name}", started, response)

    @routes.get("/<kind>")
    def search_by_get(kind: str) -> Response:
        return search(kind, list(request.args.items(multi=True)))

    @routes.post("/<kind>/_search")
    def search_by_post(kind: str) -> Response:
        if request.mimetype != "application/x-www-form-urlencoded":
            text = "POST _search takes application/x-www-form-urlencoded"
            return _answer(operation_outcome("error", "structure", text), 415)
        return search(kind, [*request.args.items(multi=True), *request.form.items(multi=True)])

    def search(kind: str, pairs: list[tuple[str, str]]) -> Response:
        started = time.perf_counter()
        try:
            response = _answer(_search(kind, pairs, _begin(kind, parts), parts))
        except Refused as fault:
            response = _answer(operation_outcome("error", fault.code, fault.text), fault.status)
        what = f"{kind}?{unquote(urlencode(pairs))}" if pairs else kind
        return recorded(what[:300], started, response)

    @routes.route("/", methods=["GET", "POST"], defaults={"rest": ""})
    @routes.route("/<path:rest>", methods=["POST", "PUT", "PATCH", "DELETE"])
    def anything_else(rest: str) -> Response:
        text = "this server reads and searches only"
        return _answer(operation_outcome("error", "not-supported", text), 405)

    return routes


def _begin(kind: str, parts: Parts) -> Token:
    """The token of a request that may go on: known type, JSON asked for, valid token, switches obeyed."""
    best = request.accept_mimetypes
    if best and not any(best[one] for one in _ACCEPTED):
        raise Refused(406, "not-supported", "this server answers in JSON only")
    if "access_token" in request.args:
        raise Refused(400, "security", "a token belongs in the Authorization header")
    g.token = token = _bearer(parts.tokens)
    if kind not in PARAMETERS:
        raise Refused(404, "not-found", f"{kind[:60]} is not served here")
    switches = parts.service.switches
    if kind in switches.slow():
        time.sleep(SLOW_SECONDS)
    if kind in switches.failing():
        raise Refused(500, "exception", f"{kind} cannot be answered at the moment")
    return token


def _search(kind: str, pairs: list[tuple[str, str]], token: Token, parts: Parts) -> Resource:
    scopes = _scopes(token, kind, "s")
    names = [name for name, _ in pairs]
    if "_page" in names:
        if len(pairs) != 1:
            raise Refused(400, "invalid", "a next link is used as it is, without further parameters")
        page = parts.service.later_page(kind, pairs[0][1], token.patient)
        if page is None:
            raise Refused(410, "not-found", "this page is no longer kept; search again")
        return page
    try:
        search = parts.service.understand(kind, pairs)
    except SearchFault as fault:
        raise Refused(400, "not-supported", fault.message) from fault
    _check_limits(search)
    _check_context(search, token, scopes)
    if kind == "Medication" and not any(one.level == "user" for one in scopes):
        search = replace(search, patients=frozenset((token.patient,)))
    narrowed = None if any(not one.query for one in scopes) else [one.query for one in scopes]
    return parts.service.first_page(search, pairs, token.patient, narrowed)
