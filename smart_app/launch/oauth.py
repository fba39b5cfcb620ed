"""The OAuth steps of a launch with authlib: authorization request, code for tokens, refresh; over the bounded transport.

Sources: SMART App Launch 2.2; RFC 6749, 7523, 7636. authlib's stock assertion lives an hour, has no `kid` and may
repeat its `jti`, so `sign` is replaced; it sends no challenge unless the verifier is handed over.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from requests.adapters import BaseAdapter

from ehr.own_keys import KeyFault, KeyFolder, OwnKey
from ehr.site import ClientKind, Site, SmartClient
from ehr.transport import Deadline, Transport, TransportFault
from smart_app.launch.discovery import Endpoints
from smart_app.launch.fault import LaunchFault

ASSERTION_LIFE_S = 240
LONG_URL = 2000
TOKEN_WAIT_S = 8.0
_MAX_ANSWER = 256 * 1024
_SECRET_BYTES = 4096
OAUTH_ERRORS = frozenset(
    {
        "invalid_request",
        "unauthorized_client",
        "access_denied",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "invalid_client",
        "invalid_grant",
        "unsupported_grant_type",
        "login_required",
        "interaction_required",
        "consent_required",
    }
)


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Where to send the browser: by GET to `url`, or where `fields` are given by POST of them to `url`."""

    url: str
    fields: tuple[tuple[str, str], ...] = ()


def new_secret() -> str:
    """256 random bits as text that fits URLs, cookies and PKCE verifiers (43 characters)."""
    return secrets.token_urlsafe(32)


def authorization_request(
    smart: SmartClient,
    endpoints: Endpoints,
    *,
    iss: str,
    launch: str,
    scopes: tuple[str, ...],
    redirect_uri: str,
    state: str,
    nonce: str,
    verifier: str,
) -> AuthorizationRequest:
    """The authorization request with PKCE S256, `aud` as the EHR wrote its `iss`, and `launch` only where it sent one."""
    client = OAuth2Session(
        smart.client_id, redirect_uri=redirect_uri, code_challenge_method="S256", trust_env=False
    )
    extra = {"launch": launch} if launch else {}
    url, _ = client.create_authorization_url(
        endpoints.authorize,
        state=state,
        code_verifier=verifier,
        scope=" ".join(scopes),
        aud=iss,
        nonce=nonce,
        **extra,
    )
    if endpoints.post and len(url) > LONG_URL:
        own = parse_qsl(urlsplit(endpoints.authorize).query, keep_blank_values=True)
        fields = parse_qsl(urlsplit(url).query, keep_blank_values=True)[len(own) :]
        return AuthorizationRequest(endpoints.authorize, tuple(fields))
    return AuthorizationRequest(url)


class TokenEndpoint:
    """One site's token endpoint as this client uses it: public, HTTP Basic, or a signed assertion."""

    def __init__(self, site: Site, url: str, transport: Transport, own_keys: KeyFolder) -> None:
        if site.smart is None:
            raise LaunchFault("unknown-iss")
        self._smart = site.smart
        self._url = url
        self._transport = transport
        self._own_keys = own_keys

    def redeem(self, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """The token response for a code; raises `LaunchFault`."""
        client = self._client()
        return self._checked(
            lambda: client.fetch_token(
                self._url,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=redirect_uri,
            )
        )

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """The token response for a refresh token; `token-refused` with detail `invalid_grant` ends the workspace."""
        client = self._client()
        return self._checked(lambda: client.refresh_token(self._url, refresh_token=refresh_token))

    def _client(self) -> OAuth2Session:
        smart = self._smart
        method, secret = "none", None
        if smart.auth is ClientKind.SYMMETRIC:
            method, secret = "client_secret_basic", _secret(smart)
        elif smart.auth is ClientKind.ASYMMETRIC:
            method = "private_key_jwt"
        client = OAuth2Session(
            smart.client_id, secret, token_endpoint_auth_method=method, token={}, trust_env=False
        )
        if smart.auth is ClientKind.ASYMMETRIC:
            client.register_client_auth_method(SmartAssertion(self._url, _own_key(self._own_keys, smart.alg)))
        adapter = _OverTransport(self._transport)
        client.mount("https://", adapter)
        client.mount("http://", adapter)
        return client

    def _checked(self, call: Any) -> dict[str, Any]:
        try:
            return dict(call())
        except OAuthError as error:
            name = str(error.error)
            detail = name if name in OAUTH_ERRORS else "other"
            raise LaunchFault(
                "client-refused" if name == "invalid_client" else "token-refused", detail
            ) from None
        except TransportFault as fault:
            raise LaunchFault("token-down", fault.code) from None
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            raise LaunchFault("token-down", f"status-{status}") from None
        except (ValueError, TypeError, RecursionError, requests.RequestException):
            raise LaunchFault("token-down", "not-json") from None


class SmartAssertion(PrivateKeyJWT):  # type: ignore[misc]
    """A client assertion as SMART wants it: `kid`, `typ` JWT, four minutes to live, a fresh `jti` each time."""

    def __init__(self, token_endpoint: str, own: OwnKey) -> None:
        super().__init__(token_endpoint, alg=own.alg)
        self._own = own

    def sign(self, auth: Any, token_endpoint: str) -> str:
        """The assertion for one request."""
        signed: str = private_key_jwt_sign(
            self._own.key,
            client_id=auth.client_id,
            token_endpoint=token_endpoint,
            alg=self._own.alg,
            claims={"jti": secrets.token_urlsafe(24)},
            header={"kid": self._own.kid, "typ": "JWT"},
            expires_in=ASSERTION_LIFE_S,
        )
        return signed


class _OverTransport(BaseAdapter):
    """Carries authlib's requests over our transport: one deadline, a byte cap, no redirects, no environment."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""
        headers = {
            name: str(value)
            for name, value in request.headers.items()
            if name.lower() in ("accept", "content-type", "authorization")
        }
        answer = self._transport.post(
            str(request.url),
            headers=headers,
            body=body.encode() if isinstance(body, str) else bytes(body),
            deadline=Deadline.after(TOKEN_WAIT_S),
            max_bytes=_MAX_ANSWER,
        )
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response._content = answer.body
        response.encoding = "utf-8"
        response.request = request
        response.url = ""
        return response

    def close(self) -> None:
        """Nothing of its own is open."""


def _secret(smart: SmartClient) -> str:
    if smart.secret_file is None:
        raise LaunchFault("own-key", "no-secret-file")
    try:
        with smart.secret_file.open(encoding="utf-8") as source:
            secret = source.read(_SECRET_BYTES).strip()
    except (OSError, UnicodeDecodeError):
        raise LaunchFault("own-key", "secret-unreadable") from None
    if not secret:
        raise LaunchFault("own-key", "secret-empty")
    return secret


def _own_key(folder: KeyFolder, alg: str) -> OwnKey:
    try:
        own = folder.signing(alg)
    except KeyFault as fault:
        raise LaunchFault("own-key", fault.code) from fault
    if own is None:
        raise LaunchFault("own-key", "no-key")
    return own
