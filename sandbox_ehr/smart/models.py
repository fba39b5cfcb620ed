"""Clients, codes, refresh tokens and launches of the authorization server, all in memory."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oidc.core import AuthorizationCodeMixin

from sandbox_ehr.access import narrow
from sandbox_ehr.switches import SwitchPanel

CODE_SECONDS = 60
LAUNCH_SECONDS = 120
_AUTHENTICATION = {
    "public": "none",
    "symmetric": "client_secret_basic",
    "asymmetric": "private_key_jwt",
}


@dataclass(frozen=True, slots=True)
class Registration:
    """An app as registered: `kind` is public, symmetric or asymmetric; addresses are exact."""

    client_id: str
    kind: str
    name: str
    redirect_uris: tuple[str, ...]
    launch_url: str
    secret: str = ""
    jwks_url: str = ""


class Client(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    """A registered app in the form Authlib asks for."""

    def __init__(self, registration: Registration, switches: SwitchPanel) -> None:
        self.registration = registration
        self._switches = switches

    def get_client_id(self) -> str:
        """The client id."""
        return self.registration.client_id

    def get_default_redirect_uri(self) -> str:
        """None is assumed: the address has to be sent."""
        return ""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What is granted of the scopes asked; None refuses the request."""
        now = self._switches.now
        granted = narrow((scope or "").split(), self._switches.withheld(), v1_only=now.v1_only)
        return " ".join(granted) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether the address is one of those registered, letter by letter."""
        return redirect_uri in self.registration.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        """Compares the secret in constant time."""
        secret = self.registration.secret
        return bool(secret) and secrets.compare_digest(secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether this is the way this client was registered to prove itself."""
        return endpoint == "token" and method == _AUTHENTICATION[self.registration.kind]

    def check_response_type(self, response_type: str) -> bool:
        """Only codes."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Codes and refresh tokens."""
        return grant_type in ("authorization_code", "refresh_token")


@dataclass(slots=True)
class Code(AuthorizationCodeMixin):  # type: ignore[misc]
    """An authorization code and what it stands for; good once, for a minute."""

    value: str
    client_id: str
    redirect_uri: str
    scope: str
    patient: str
    app_context: str
    nonce: str
    code_challenge: str
    until: float
    code_challenge_method: str = "S256"
    used: bool = False
    tokens: list[str] = field(default_factory=list)

    def get_redirect_uri(self) -> str:
        """The address the code was sent to."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """The scopes granted."""
        return self.scope

    def get_nonce(self) -> str:
        """The nonce of the request."""
        return self.nonce

    def get_auth_time(self) -> None:
        """Not told: SMART leaves `auth_time` out."""

    def get_acr(self) -> None:
        """Not told."""

    def get_amr(self) -> None:
        """Not told."""


@dataclass(frozen=True, slots=True)
class Refresh(TokenMixin):  # type: ignore[misc]
    """A refresh token and what it may be turned into."""

    value: str
    client_id: str
    scope: str
    patient: str
    app_context: str

    def check_client(self, client: Client) -> bool:
        """Whether it was issued to this client."""
        return self.client_id == client.get_client_id()

    def get_scope(self) -> str:
        """The scopes granted."""
        return self.scope

    def get_user(self) -> str:
        """The one user of the box."""
        return "user"

    def is_expired(self) -> bool:
        """It lives as long as the box."""
        return False

    def is_revoked(self) -> bool:
        """Revoked ones are forgotten."""
        return False


@dataclass(frozen=True, slots=True)
class Launch:
    """An EHR launch that waits for its app: patient, the card's appContext, the app's launch address."""

    patient: str
    app_context: str
    until: float


class Desk:
    """Holds launches, codes, refresh tokens and one-time choices; safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._launches: dict[str, Launch] = {}
        self._codes: dict[str, Code] = {}
        self._refresh: dict[str, Refresh] = {}
        self._once: dict[str, float] = {}

    def open_launch(self, patient: str, app_context: str = "") -> str:
        """A launch handle that is good once, for two minutes."""
        name = secrets.token_urlsafe(24)
        with self._lock:
            self._launches[name] = Launch(patient, app_context, self.clock() + LAUNCH_SECONDS)
        return name

    def launch(self, name: str) -> Launch | None:
        """A launch that still waits."""
        launch = self._launches.get(name)
        return launch if launch is not None and launch.until > self.clock() else None

    def close_launch(self, name: str) -> None:
        """Takes a launch as used."""
        with self._lock:
            self._launches.pop(name, None)

    def keep_code(self, code: Code) -> None:
        """Keeps an authorization code."""
        with self._lock:
            self._codes = {key: one for key, one in self._codes.items() if one.until + 600 > self.clock()}
            self._codes[code.value] = code

    def code(self, value: str) -> Code | None:
        """A code, used or not."""
        return self._codes.get(value)

    def keep_refresh(self, refresh: Refresh) -> None:
        """Keeps a refresh token."""
        with self._lock:
            self._refresh[refresh.value] = refresh

    def refresh(self, value: str) -> Refresh | None:
        """A refresh token that is still good."""
        return self._refresh.get(value)

    def forget_refresh(self, value: str) -> None:
        """Ends a refresh token."""
        with self._lock:
            self._refresh.pop(value, None)

    def first_use(self, name: str, seconds: float) -> bool:
        """Whether a name (nonce, token id) is seen for the first time."""
        with self._lock:
            now = self.clock()
            self._once = {key: until for key, until in self._once.items() if until > now}
            if name in self._once:
                return False
            self._once[name] = now + seconds
            return True

    def spend_nonce(self, client: str, nonce: str) -> None:
        """Takes a nonce of a client as used for an hour."""
        if nonce:
            self.first_use(f"nonce {client} {nonce}", 3600)

    def nonce_spent(self, client: str, nonce: str) -> bool:
        """Whether a code was given for this nonce before."""
        return self._once.get(f"nonce {client} {nonce}", 0.0) > self.clock()

    def open_choice(self) -> str:
        """A one-time name for a page on which the user chooses a patient."""
        name = secrets.token_urlsafe(24)
        with self._lock:
            self._once[f"choice {name}"] = self.clock() + 600
        return name

    def take_choice(self, name: str) -> bool:
        """Whether such a page was open; it is closed by asking."""
        with self._lock:
            return self._once.pop(f"choice {name}", 0.0) > self.clock()
