"""The two grants and what SMART adds to them: audience, launch, PKCE, nonce, patient in the answer."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode

from sandbox_ehr.access import TokenShelf, read_scope, understood
from sandbox_ehr.fhir.records import USER_ID, USER_NAME
from sandbox_ehr.keys import ALGORITHM, SigningKey
from sandbox_ehr.smart.models import CODE_SECONDS, Client, Code, Desk, Refresh
from sandbox_ehr.switches import SwitchPanel

_METHODS = ["private_key_jwt", "client_secret_basic", "none"]
_SHORTEST_STATE = 22
NORMAL_SECONDS, SHORT_SECONDS = 300, 5


@dataclass(frozen=True, slots=True)
class Office:
    """What the grants work with: the desk, the tokens, the switches, the key and the addresses."""

    desk: Desk
    tokens: TokenShelf
    switches: SwitchPanel
    key: SigningKey
    fhir_base: str

    @property
    def token_seconds(self) -> int:
        """How long an access token lives."""
        return SHORT_SECONDS if self.switches.now.short_tokens else NORMAL_SECONDS


def asks_patient(scopes: list[str]) -> bool:
    """Whether a launch without the chart needs a patient to be chosen."""
    levels = {scope.level for scope in map(read_scope, scopes) if scope is not None}
    return "launch/patient" in scopes or "patient" in levels


class SmartRequest:
    """What SMART asks of an authorization request beyond OAuth; each refusal names its reason."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def __call__(self, grant: Any) -> None:
        """Hooks the checks into the code grant."""
        grant.register_hook("after_validate_authorization_request_payload", self.check)
        grant.register_hook("after_create_token_response", self.complete)

    def check(self, grant: Any, redirect_uri: str) -> None:
        """Raises an OAuth error that goes back to the app."""
        data = grant.request.payload.data
        scopes = (grant.request.payload.scope or "").split()
        if len(data.get("state") or "") < _SHORTEST_STATE:
            raise InvalidRequestError("state is missing or too short to be unpredictable")
        if data.get("aud") != self._office.fhir_base:
            raise InvalidRequestError("aud is not the FHIR base address of this server")
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with S256 is required")
        if strange := [one for one in scopes if not understood(one)]:
            raise InvalidScopeError(f"scope not understood: {strange[0][:60]}")
        if any((scope := read_scope(one)) is not None and scope.type == "*" for one in scopes):
            raise InvalidScopeError("scopes for every resource type are not given here")
        launch = data.get("launch")
        if launch and self._office.desk.launch(launch) is None:
            raise InvalidRequestError("launch is unknown, used or too old")
        if launch and "launch" not in scopes:
            raise InvalidScopeError("a launch from the chart needs the scope launch")
        if not launch and "launch" in scopes:
            raise InvalidScopeError("the scope launch needs a launch from the chart")

    def complete(self, grant: Any, response: tuple[int, dict[str, Any], Any]) -> None:
        """Adds the launch context to a token answer."""
        held = getattr(grant.request, "authorization_code", None) or grant.request.refresh_token
        body = response[1]
        if held.patient:
            body["patient"] = held.patient
            body["need_patient_banner"] = True
        if held.app_context:
            body["appContext"] = held.app_context


class StrictPkce(CodeChallenge):  # type: ignore[misc]  # Authlib ships no types
    """PKCE with S256 for every client, confidential ones too."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012  Authlib's own name and form


class IdToken(OpenIDCode):  # type: ignore[misc]
    """The id_token with fhirUser and nonce, signed with the box's own key."""

    def __init__(self, office: Office) -> None:
        super().__init__(require_nonce=True)
        self._office = office

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """Whether a code was already given for this nonce."""
        return self._office.desk.nonce_spent(request.payload.client_id, nonce)

    def resolve_client_private_key(self, client: Client) -> Any:
        """The signing key."""
        return self._office.key.private

    def get_client_algorithm(self, client: Client) -> str:
        """ES384 for everybody."""
        return ALGORITHM

    def get_encode_header(self, client: Client) -> dict[str, str]:
        """The header with the key's name."""
        return {"alg": ALGORITHM, "kid": self._office.key.kid, "typ": "JWT"}

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        """Issuer, audience and life; no `auth_time`, which SMART leaves out."""
        now = int(self._office.desk.clock())
        audience = request.client.get_client_id()
        return {"iss": self._office.fhir_base, "aud": audience, "iat": now, "exp": now + NORMAL_SECONDS}

    def generate_user_info(self, user: Any, scope: str) -> dict[str, str]:
        """Who is signed in."""
        info = {"sub": USER_ID}
        if "fhirUser" in scope.split():
            info["fhirUser"] = f"{self._office.fhir_base}/Practitioner/{USER_ID}"
            info["name"] = USER_NAME
        return info


def code_grant(office: Office) -> type[Any]:
    """The authorization code grant over an office."""

    class SmartCodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = _METHODS

        def save_authorization_code(self, code: str, request: Any) -> None:
            data = request.payload.data
            launch = office.desk.launch(data.get("launch") or "")
            if data.get("launch"):
                office.desk.close_launch(data["launch"])
            office.desk.keep_code(
                Code(
                    value=code,
                    client_id=request.client.get_client_id(),
                    redirect_uri=request.payload.redirect_uri,
                    scope=request.scope,
                    patient=launch.patient if launch else request.user.chosen_patient,
                    app_context=launch.app_context if launch else "",
                    nonce=data.get("nonce") or "",
                    code_challenge=data["code_challenge"],
                    until=office.desk.clock() + CODE_SECONDS,
                )
            )
            office.desk.spend_nonce(request.client.get_client_id(), data.get("nonce") or "")

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            held = office.desk.code(code)
            if held is None or held.client_id != client.get_client_id():
                return None
            if held.used:
                # a code that comes twice was stolen from somebody: what it gave is taken back
                office.tokens.end(held.tokens)
                return None
            return held if held.until > office.desk.clock() else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            authorization_code.used = True

        def authenticate_user(self, authorization_code: Code) -> User:
            return User(authorization_code.patient)

    return SmartCodeGrant


def refresh_grant(office: Office) -> type[Any]:
    """The refresh grant over an office; rotation follows the switch."""

    class SmartRefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = _METHODS

        @property
        def INCLUDE_NEW_REFRESH_TOKEN(self) -> bool:  # noqa: N802  Authlib's name
            return office.switches.now.rotate_refresh

        def authenticate_refresh_token(self, refresh_token: str) -> Refresh | None:
            return office.desk.refresh(refresh_token)

        def authenticate_user(self, refresh_token: Refresh) -> User:
            return User(refresh_token.patient)

        def revoke_old_credential(self, refresh_token: Refresh) -> None:
            if office.switches.now.rotate_refresh:
                office.desk.forget_refresh(refresh_token.value)

    return SmartRefreshGrant


@dataclass(frozen=True, slots=True)
class User:
    """The one user, with the patient chosen where a launch came without a chart."""

    chosen_patient: str = ""


def token_maker(office: Office) -> Any:
    """Makes token answers; a refresh token only where online or offline access was granted."""

    def make(
        grant_type: str,
        client: Client,
        user: Any = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:
        allowed = client.get_allowed_scope(scope)
        if allowed is None:
            raise InvalidScopeError()
        token: dict[str, Any] = {
            "access_token": secrets.token_urlsafe(32),
            "token_type": "Bearer",
            "expires_in": office.token_seconds,
            "scope": allowed,
        }
        lasting = {"online_access", "offline_access"} & set(allowed.split())
        if include_refresh_token and lasting and not office.switches.now.no_refresh:
            token["refresh_token"] = secrets.token_urlsafe(32)
        return token

    return make


def token_keeper(office: Office) -> Any:
    """Keeps what a token answer gave out."""

    def keep(token: dict[str, Any], request: Any) -> None:
        code = getattr(request, "authorization_code", None)
        held = code or request.refresh_token
        client = request.client.get_client_id()
        scopes = token["scope"].split()
        office.tokens.give(client, scopes, held.patient, token["expires_in"], token["access_token"])
        if code is not None:
            code.tokens.append(token["access_token"])
        if "refresh_token" in token:
            office.desk.keep_refresh(
                Refresh(token["refresh_token"], client, token["scope"], held.patient, held.app_context)
            )

    return keep
