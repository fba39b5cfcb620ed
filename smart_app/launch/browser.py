"""What is said to and taken from the browser: cookies, headers, and the proof that a form is our own page's.

Sources: T-12 (cookie per workspace), T-15 (framing, referrer, cache), T-17 (CSRF with SameSite=None); RFC 6265bis; CHIPS.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Request, Response

from ehr.address import AddressFault, parse_address
from ehr.site import Config, Site
from smart_app.launch.fault import LaunchFault
from smart_app.launch.vault import SIGN_IN_LIFE, WORKSPACE_LIFE

_STATE, _WORKSPACE = "__Host-s_", "__Host-w_"
_CLOSED = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(self), "
    "geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), "
    "publickey-credentials-get=(), usb=(), xr-spatial-tracking=()"
)


def state_cookie_name(state: str) -> str:
    """The cookie that binds a sign-in to this browser; named after the state without giving it away."""
    return _STATE + hashlib.sha256(b"name" + state.encode("utf-8", "replace")).hexdigest()[:24]


def workspace_cookie_name(name: str) -> str:
    """The cookie of one workspace."""
    return _WORKSPACE + name


def set_state_cookie(response: Response, state: str, value: str) -> None:
    """Sets the cookie of a sign-in for ten minutes."""
    _set(response, state_cookie_name(state), value, int(SIGN_IN_LIFE.total_seconds()))


def set_workspace_cookie(response: Response, name: str, value: str) -> None:
    """Sets the cookie of a workspace."""
    _set(response, workspace_cookie_name(name), value, int(WORKSPACE_LIFE.total_seconds()))


def drop_cookie(response: Response, cookie: str) -> None:
    """Takes a cookie back."""
    _set(response, cookie, "", 0)


def workspace_names(request: Request) -> tuple[str, ...]:
    """The workspaces this browser holds cookies of."""
    return tuple(name.removeprefix(_WORKSPACE) for name in request.cookies if name.startswith(_WORKSPACE))


def _set(response: Response, cookie: str, value: str, age: int) -> None:
    # None + Partitioned: the only form that passes in a cross-site frame with third-party cookies blocked
    response.set_cookie(
        cookie, value, max_age=age, path="/", secure=True, httponly=True, samesite="None", partitioned=True
    )


def csrf_token(secret: str) -> str:
    """The form token of a workspace, from its cookie's secret, which no page can read."""
    return hmac.digest(secret.encode(), b"form token", hashlib.sha256).hex()


def check_form(request: Request, secret: str, public_url: str) -> None:
    """Refuses a POST that is not our own page's; raises `LaunchFault` (T-17)."""
    if request.mimetype not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise LaunchFault("forged-form", "type")
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    # with no-referrer browsers write `null` into Origin of our own forms; Sec-Fetch-Site then tells
    if site is not None and site != "same-origin":
        raise LaunchFault("forged-form", "fetch-site")
    if origin not in (None, "null") and origin != _origin(public_url):
        raise LaunchFault("forged-form", "origin")
    if site is None and origin in (None, "null"):
        raise LaunchFault("forged-form", "no-origin")
    given = request.form.get("csrf") or request.headers.get("X-CSRF-Token") or ""
    if not hmac.compare_digest(given.encode("utf-8", "replace"), csrf_token(secret).encode()):
        raise LaunchFault("forged-form", "token")


def set_headers(response: Response, ancestors: Iterable[str], form_hosts: Iterable[str] = ()) -> None:
    """The headers of every answer of the app: no inline script, no third party, framed by registered pages only."""
    headers = response.headers
    frames = " ".join(dict.fromkeys(ancestors)) or "'none'"
    forms = " ".join(("'self'", *dict.fromkeys(form_hosts)))
    headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"connect-src 'self'; form-action {forms}; frame-ancestors {frames}; base-uri 'none'"
    )
    headers.setdefault("Cache-Control", "no-store")
    headers["Referrer-Policy"] = "no-referrer"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Permissions-Policy"] = _CLOSED
    # any other value cuts the tie to the EHR window that opened us, and with it the EHR's way to close us
    headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    headers["X-Robots-Tag"] = "noindex"


def ancestors_of(config: Config, site: Site | None) -> tuple[str, ...]:
    """Who may frame us: the site's own list once it is known, the union of all before."""
    sites = (site,) if site is not None else config.sites
    found = [entry for one in sites for entry in one.frame_ancestors]
    return tuple(entry for entry in found if entry and not set(entry) & set(" ;,'\"\r\n*"))


def form_hosts_of(sites: Iterable[Site]) -> tuple[str, ...]:
    """Where a sign-in that begins with a form may lead to: FHIR origins and listed hosts of these sites."""
    found = []
    for site in sites:
        if site.smart is None:
            continue
        try:
            found.append(parse_address(site.smart.iss, allow_http=site.test).origin)
        except AddressFault:
            continue
        scheme = "http" if found[-1].startswith("http://") else "https"
        found.extend(f"{scheme}://{host}" for host in site.auth_hosts if not set(host) & set(" ;,'\"\r\n*"))
    return tuple(dict.fromkeys(found))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
