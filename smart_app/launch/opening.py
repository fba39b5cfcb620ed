"""From the EHR's launch to a workspace: the steps of SMART App Launch 2.2, each checked before the next.

Source: SMART App Launch 2.2; T-13 (state, code, mix-up), T-14 (iss against the list before any request).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ehr.address import AddressFault, parse_address
from ehr.jwks import KeysBad, KeysUnreachable
from ehr.site import Site, SmartClient
from smart_app.launch.card_context import read_card_context
from smart_app.launch.discovery import Discovery, Endpoints
from smart_app.launch.fault import LaunchFault
from smart_app.launch.identity import NOBODY, User, read_id_token
from smart_app.launch.oauth import (
    OAUTH_ERRORS,
    AuthorizationRequest,
    TokenEndpoint,
    authorization_request,
    new_secret,
)
from smart_app.launch.parts import LaunchParts
from smart_app.launch.scopes import granted_scopes, wanted_scopes
from smart_app.launch.session import Pending, Session
from smart_app.launch.token_answer import read_context, read_tokens
from smart_app.launch.trail import LaunchTrail, Trails
from smart_app.launch.vault import Vault, digest

_LONGEST = 4096
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in to send the browser into: where to, and the cookie that binds it to this browser."""

    site: Site
    request: AuthorizationRequest
    state: str
    cookie: str


class Opening:
    """Begins sign-ins and turns their answers into workspaces."""

    def __init__(self, parts: LaunchParts, vault: Vault, trails: Trails) -> None:
        self._parts = parts
        self._vault = vault
        self._trails = trails
        self._discovery = Discovery(parts.transport)

    def begin(self, iss: str, launch: str) -> Begun:
        """Where to send the browser for a launch; raises `LaunchFault`. Unknown `iss`: nothing leaves (T-14)."""
        trail = self._trails.begin(iss, "EHR launch" if launch else "standalone launch")
        site, smart = self._noted(trail, "stopped", lambda: self._launched(trail, iss, launch))
        endpoints = self._noted(trail, "discovery", lambda: self._discovery.endpoints(site))
        self._told(trail, endpoints)
        wanted = wanted_scopes(smart, ehr_launch=bool(launch), refresh=True)
        trail.wanted = wanted
        state, cookie, nonce, verifier = new_secret(), new_secret(), new_secret(), new_secret()
        self._vault.keep_pending(
            state,
            Pending(
                site=site.name,
                iss=iss,
                ehr_launch=bool(launch),
                verifier=verifier,
                nonce=nonce,
                cookie_hash=digest(cookie).hex(),
                token_endpoint=endpoints.token,
                issuer=endpoints.issuer,
                jwks=endpoints.jwks,
                names_issuer=endpoints.names_issuer,
                wanted=wanted,
                trail=trail.id,
            ),
        )
        request = authorization_request(
            smart,
            endpoints,
            iss=iss,
            launch=launch,
            scopes=wanted,
            redirect_uri=self._parts.redirect_uri,
            state=state,
            nonce=nonce,
            verifier=verifier,
        )
        self._trails.note(trail, "sent to sign-in", "POST" if request.fields else "GET")
        return Begun(site, request, state, cookie)

    def _launched(self, trail: LaunchTrail, iss: str, launch: str) -> tuple[Site, SmartClient]:
        site = self._site(iss)
        if site.smart is None:
            raise LaunchFault("unknown-iss")
        self._trails.know(trail, site.name)
        if len(launch) > _LONGEST:
            raise LaunchFault("bad-launch")
        return site, site.smart

    def _noted(self, trail: LaunchTrail, step: str, work: Callable[[], _T]) -> _T:
        """Does a step; a fault in it stands on the launch's trail."""
        try:
            return work()
        except LaunchFault as fault:
            self._trails.note(trail, step, f"{fault.code} {fault.detail}".strip())
            raise

    def finish(self, query: Mapping[str, str], cookie: str) -> tuple[Session, Site]:
        """The session of an authorization answer; raises `LaunchFault`. Each state serves once (T-13)."""
        state = query.get("state", "")
        if not state or len(state) > _LONGEST:
            raise LaunchFault("state-unknown", "absent")
        pending = self._vault.take_pending(state)
        trail = self._trails.find(pending.trail)
        try:
            session, site = self._finish(pending, query, cookie, trail)
        except LaunchFault as fault:
            self._trails.note(trail, "stopped", f"{fault.code} {fault.detail}".strip())
            raise
        self._trails.note(trail, "workspace opened")
        return session, site

    def _finish(
        self, pending: Pending, query: Mapping[str, str], cookie: str, trail: LaunchTrail | None
    ) -> tuple[Session, Site]:
        if not cookie:
            raise LaunchFault("cookie-missing")
        if not hmac.compare_digest(digest(cookie).hex(), pending.cookie_hash):
            raise LaunchFault("state-unknown", "other-browser")
        site = self._parts.registry.config.site(pending.site)
        if site is None or site.smart is None:
            raise LaunchFault("unknown-iss", "site-gone")
        _check_issuer(query, pending)
        if "error" in query:
            name = query["error"] if query["error"] in OAUTH_ERRORS else "other"
            raise LaunchFault("denied" if name == "access_denied" else "ehr-error", name)
        code = query.get("code", "")
        if not code or len(code) > _LONGEST:
            raise LaunchFault("ehr-error", "no-code")
        self._trails.note(trail, "came back from sign-in")
        try:
            answer = self.token_endpoint(site, pending.token_endpoint).redeem(
                code, pending.verifier, self._parts.redirect_uri
            )
        except LaunchFault:
            self._discovery.forget(site)
            raise
        self._trails.note(trail, "token")
        return self._session(pending, site, answer, trail), site

    def token_endpoint(self, site: Site, url: str) -> TokenEndpoint:
        """A site's token endpoint."""
        return TokenEndpoint(site, url, self._parts.transport, self._parts.own_keys)

    def _session(
        self, pending: Pending, site: Site, answer: Mapping[str, Any], trail: LaunchTrail | None
    ) -> Session:
        now = self._parts.clock()
        tokens = read_tokens(answer, now)
        granted = granted_scopes(answer.get("scope"), pending.wanted)
        if trail is not None:
            trail.granted = granted
        user = self._user(pending, site, answer, granted)
        self._trails.note(trail, "id_token", "verified" if user.key else "not given")
        context = read_context(answer)
        card, warnings = read_card_context(
            self._parts.context_key, context.app_context, site.name, context.patient, now
        )
        if not user.key:
            warnings = (*warnings, "user-not-stated")
        return Session(
            site=site.name,
            iss=pending.iss,
            patient=context.patient,
            tokens=tokens,
            token_endpoint=pending.token_endpoint,
            wanted=pending.wanted,
            granted=granted,
            started=now.timestamp(),
            encounter=context.encounter,
            user=user.reference if user.local else "",
            user_name=user.name,
            user_key=user.key,
            banner=context.banner,
            highlights=context.highlights,
            card=card,
            warnings=warnings,
        )

    def _user(
        self, pending: Pending, site: Site, answer: Mapping[str, Any], granted: tuple[str, ...]
    ) -> User:
        token = answer.get("id_token")
        if token is None and "openid" not in granted:
            return NOBODY
        if site.smart is None:
            raise LaunchFault("unknown-iss")
        try:
            return read_id_token(
                token,
                keys=self._parts.keys,
                jwks=pending.jwks,
                issuer=pending.issuer,
                iss=pending.iss,
                client_id=site.smart.client_id,
                nonce=pending.nonce,
                now=self._parts.clock(),
                test=site.test,
            )
        except (KeysUnreachable, KeysBad) as fault:
            raise LaunchFault("id-token-bad", fault.code) from None

    def _site(self, iss: str) -> Site:
        if not iss:
            raise LaunchFault("no-iss")
        try:
            parse_address(iss, allow_http=True)
        except AddressFault as fault:
            # plain http to another machine is well formed but never registered
            raise LaunchFault("unknown-iss" if fault.code == "http" else "bad-iss", fault.code) from None
        site = self._parts.registry.site_of_launch(iss)
        if site is None or site.smart is None:
            raise LaunchFault("unknown-iss")
        return site

    def _told(self, trail: LaunchTrail, endpoints: Endpoints) -> None:
        trail.endpoints = (
            ("authorization", endpoints.authorize),
            ("token", endpoints.token),
            ("issuer", endpoints.issuer),
            ("keys", endpoints.jwks),
        )
        trail.skew_s = endpoints.clock_skew_s
        self._trails.note(trail, "discovery")


def _check_issuer(query: Mapping[str, str], pending: Pending) -> None:
    """RFC 9207: an answer that names its server has to name the one this sign-in went to (mix-up)."""
    named = query.get("iss")
    if named is None and pending.names_issuer:
        raise LaunchFault("iss-mismatch", "absent")
    if named is not None and not secrets.compare_digest(named.encode(), pending.issuer.encode()):
        raise LaunchFault("iss-mismatch", "other")
