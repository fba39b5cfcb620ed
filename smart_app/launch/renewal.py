"""A fresh access token when the old one is used up: one refresh at a time per workspace, across threads and workers.

The lock is a claim written into the sealed row by compare-and-set, so two tabs and two workers spend a rotating
refresh token once. The old tokens stay until the new ones are stored; a refusal ends the workspace (T-32).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from smart_app.launch.fault import LaunchFault
from smart_app.launch.oauth import TokenEndpoint
from smart_app.launch.session import Session, Tokens
from smart_app.launch.token_answer import read_tokens
from smart_app.launch.vault import Opened, Vault

CLAIM_S = 15.0
EARLY_S = 3.0
_WAIT_S = 0.05
_SPENT = frozenset({"invalid_grant"})


class Renewal:
    """Gives usable access tokens; refreshes where one is about to expire or was refused."""

    def __init__(
        self,
        vault: Vault,
        endpoint: Callable[[Opened], TokenEndpoint],
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._vault = vault
        self._endpoint = endpoint
        self._clock = clock
        self._sleep = sleep

    def token(self, name: str) -> str:
        """An access token that should still be good for a while; raises `LaunchFault` (`ended`)."""
        session = self._vault.peek(name).session
        expires = session.tokens.expires
        if expires and expires - self._clock().timestamp() < EARLY_S and session.tokens.refresh:
            fresh = self.renewed(name, session.tokens.access)
            return fresh or session.tokens.access
        return session.tokens.access

    def run_out(self, session: Session) -> bool:
        """Whether the access token has expired and there is none to come: the EHR gave no refresh token."""
        tokens = session.tokens
        return bool(tokens.expires) and not tokens.refresh and tokens.expires <= self._clock().timestamp()

    def renewed(self, name: str, refused: str) -> str | None:
        """A token other than the one refused, or None where the EHR gave no refresh token or does not answer.

        Raises `LaunchFault` (`ended`) where the EHR refused to refresh: its tokens are deleted then.
        """
        patience = CLAIM_S * 2
        while patience > 0:
            opened = self._vault.peek(name)
            session = opened.session
            if session.tokens.access != refused:
                return session.tokens.access
            if not session.tokens.refresh:
                return None
            now = self._clock().timestamp()
            if session.claimed_until <= now:
                claimed = replace(session, claimed_until=now + CLAIM_S)
                if self._vault.replace(opened, claimed):
                    return self._refresh(name, opened, claimed)
                continue
            self._sleep(_WAIT_S)
            patience -= _WAIT_S
        return None

    def _refresh(self, name: str, opened: Opened, session: Session) -> str | None:
        try:
            answer = self._endpoint(opened).refresh(session.tokens.refresh)
            tokens = read_tokens(answer, self._clock())
        except LaunchFault as fault:
            if fault.detail in _SPENT:
                self._vault.bury(name)
                raise LaunchFault("ended", fault.detail) from fault
            self._vault.change(name, lambda kept: replace(kept, claimed_until=0.0))
            return None
        kept_refresh = tokens.refresh or session.tokens.refresh
        fresh = Tokens(tokens.access, kept_refresh, tokens.expires)
        self._vault.change(name, lambda kept: replace(kept, tokens=fresh, claimed_until=0.0))
        return fresh.access


class Giver:
    """The tokens for the requests of one query; `ended` says why there are none any more."""

    def __init__(self, renewal: Renewal, name: str) -> None:
        self._renewal = renewal
        self._name = name
        self.given = renewal.token(name)
        self.ended: LaunchFault | None = None

    def current(self) -> str | None:
        """The token for the next request, a fresh one where the last is about to run out."""
        return self._taken(lambda: self._renewal.token(self._name))

    def another(self) -> str | None:
        """Another token than the one that was refused, or None."""
        return self._taken(lambda: self._renewal.renewed(self._name, self.given))

    def _taken(self, ask: Callable[[], str | None]) -> str | None:
        try:
            fresh = ask()
        except LaunchFault as fault:
            self.ended = fault
            return None
        self.given = fresh or self.given
        return fresh
