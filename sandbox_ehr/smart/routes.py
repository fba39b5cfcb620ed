"""Discovery, authorization and token endpoints of the box (SMART App Launch 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Flask, Response, jsonify, render_template, request

from sandbox_ehr.access import PLAIN_SCOPES
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.keys import ALGORITHM
from sandbox_ehr.smart.assertion import ClientAssertion
from sandbox_ehr.smart.grants import (
    IdToken,
    Office,
    SmartRequest,
    StrictPkce,
    User,
    asks_patient,
    code_grant,
    refresh_grant,
    token_keeper,
    token_maker,
)
from sandbox_ehr.smart.models import Client, Registration

_CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
)


def smart_routes(
    app: Flask, office: Office, registrations: tuple[Registration, ...], records: Records, root: str
) -> Blueprint:
    """The routes of the authorization server, registered on its Authlib server."""
    server = _server(app, office, registrations, root)
    routes = Blueprint("smart", __name__)
    base = office.fhir_base

    @routes.get("/fhir/.well-known/smart-configuration")
    def smart_configuration() -> Response:
        v1_only = office.switches.now.v1_only
        return jsonify(
            issuer=base,
            jwks_uri=f"{root}/.well-known/jwks.json",
            authorization_endpoint=f"{root}/oauth/authorize",
            token_endpoint=f"{root}/oauth/token",
            grant_types_supported=["authorization_code", "refresh_token"],
            response_types_supported=["code"],
            code_challenge_methods_supported=["S256"],
            token_endpoint_auth_methods_supported=["client_secret_basic", "private_key_jwt"],
            token_endpoint_auth_signing_alg_values_supported=["RS384", "ES384"],
            scopes_supported=sorted(PLAIN_SCOPES),
            capabilities=[*_CAPABILITIES, *(() if v1_only else ("permission-v2",))],
        )

    @routes.get("/fhir/.well-known/openid-configuration")
    def openid_configuration() -> Response:
        return jsonify(
            issuer=base,
            jwks_uri=f"{root}/.well-known/jwks.json",
            authorization_endpoint=f"{root}/oauth/authorize",
            token_endpoint=f"{root}/oauth/token",
            response_types_supported=["code"],
            subject_types_supported=["public"],
            id_token_signing_alg_values_supported=[ALGORITHM],
        )

    @routes.get("/.well-known/jwks.json")
    def jwks() -> Response:
        response = jsonify(office.key.public_set())
        response.headers["Cache-Control"] = "max-age=60"
        return response

    @routes.route("/oauth/authorize", methods=["GET", "POST"])
    def authorize() -> Response | tuple[str, int]:
        sent: Mapping[str, str] = request.values
        if repeated := sorted(name for name in request.values if len(request.values.getlist(name)) > 1):
            return _page(f"The parameter {repeated[0]} was sent more than once.")
        chosen = sent.get("chosen_patient", "")
        by_choice = bool(sent.get("choice")) and office.desk.take_choice(sent["choice"])
        user = User(chosen if by_choice and chosen in records.charts else "")
        try:
            grant = server.get_consent_grant(end_user=user)
        except OAuth2Error as error:
            if error.redirect_uri:
                answered: Response = server.handle_error_response(None, error)
                return answered
            return _page(error.description or str(error.error))
        if not sent.get("launch") and asks_patient((sent.get("scope") or "").split()):
            if not by_choice:
                return _choose(sent, records, office.desk.open_choice(), registrations)
            if not user.chosen_patient:
                user = None  # type: ignore[assignment]  # nobody chosen is a refusal by the user
        response: Response = server.create_authorization_response(grant=grant, grant_user=user)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @routes.post("/oauth/token")
    def token() -> Response:
        if "client_secret" in request.form:
            return _refused("invalid_client", "a secret belongs in the HTTP Basic header", 401)
        proofs = ("Authorization" in request.headers) + ("client_assertion" in request.form)
        client = _client_named(request.form.get("client_id", ""), registrations)
        if proofs > 1 or (proofs and client is not None and client.kind == "public"):
            return _refused("invalid_client", "this client proves itself in another way", 401)
        response: Response = server.create_token_response()
        response.headers["Cache-Control"] = "no-store"
        response.headers["Pragma"] = "no-cache"
        return response

    return routes


def _server(
    app: Flask, office: Office, registrations: tuple[Registration, ...], root: str
) -> AuthorizationServer:
    clients = {one.client_id: Client(one, office.switches) for one in registrations}
    server = AuthorizationServer(app, clients.get, token_keeper(office))
    server.register_token_generator("default", token_maker(office))
    server.register_client_auth_method("private_key_jwt", ClientAssertion(office.desk, f"{root}/oauth/token"))
    extra = SmartRequest(office)
    server.register_grant(code_grant(office), [StrictPkce(required=True), extra, IdToken(office)])
    server.register_grant(refresh_grant(office), [extra])
    return server


def _client_named(name: str, registrations: tuple[Registration, ...]) -> Registration | None:
    return next((one for one in registrations if one.client_id == name), None)


def _refused(error: str, text: str, status: int) -> Response:
    response = jsonify(error=error, error_description=text)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(text: str) -> tuple[str, int]:
    """A refusal that cannot go back to the app, since nobody knows whose app it is."""
    return render_template("message.html", title="This launch was refused", text=text), 400


def _choose(
    sent: Mapping[str, str], records: Records, choice: str, registrations: tuple[Registration, ...]
) -> Response:
    kept: dict[str, Any] = {key: sent[key] for key in sent if key not in ("choice", "chosen_patient")}
    client = _client_named(sent.get("client_id", ""), registrations)
    page = render_template(
        "choose.html",
        kept=kept,
        choice=choice,
        charts=records.charts.values(),
        app_name=client.name if client else "",
        scopes=(sent.get("scope") or "").split(),
    )
    return Response(page, headers={"Cache-Control": "no-store"})
