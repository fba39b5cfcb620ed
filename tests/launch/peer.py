"""A strict SMART App Launch 2.2 authorization server and FHIR server on loopback, for tests only.

It refuses what a careful EHR refuses and keeps a list of what the app did wrong (`findings`); settings make it play
awkward EHRs. Every request it gets is kept in `seen`, so that tests can look for secrets in the wrong places.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Flask, Response, g, jsonify, redirect, request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from joserfc.jws import JWSRegistry
from werkzeug.serving import WSGIRequestHandler, make_server

SCOPE = re.compile(r"^(patient|user|system)/(\*|[A-Z][A-Za-z]+)\.(read|write|\*|c?r?u?d?s?)(\?.+)?$")
PLAIN = {"openid", "fhirUser", "profile", "launch", "launch/patient", "offline_access", "online_access"}
LETTERS = {"read": "rs", "write": "cud", "*": "cruds"}
RSA = RSAKey.generate_key(2048, auto_kid=True)
EC = ECKey.generate_key("P-384", auto_kid=True)
EC256 = ECKey.generate_key("P-256", auto_kid=True)


@dataclass
class Switches:
    """How this EHR behaves."""

    client_id: str = "test-app"
    client: str = "public"
    secret: str = "a-secret-of-a-test-client"  # noqa: S105
    user: str = "Practitioner/doc1"
    absolute_user: bool = False
    withhold: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()
    style: str = "any"
    refresh: bool = True
    rotate: bool = False
    expires: Any = 300
    token_type: str = "Bearer"  # noqa: S105
    id_alg: str = "RS256"
    other_issuer: bool = False
    banner: bool | None = True
    context: dict[str, Any] = field(default_factory=dict)
    scope_member: bool = True
    patient: bool = True
    deny: str = ""
    discovery: dict[str, Any] = field(default_factory=dict)
    discovery_raw: Callable[[], Response] | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    id_token: Callable[[dict[str, Any]], str] | None = None
    name_issuer: str = ""
    page: int = 100
    delay_s: float = 0.0
    refuse_refresh: bool = False
    token_body: Callable[[dict[str, Any]], Response] | None = None
    swap_patient: str = ""


class Peer:
    """One EHR: `with Peer(...) as ehr` serves it on a free port of `host` until the block ends."""

    def __init__(self, resources: list[dict[str, Any]], host: str = "127.0.0.1", **switches: Any) -> None:
        self.on = Switches(**switches)
        self.resources = resources
        self.findings: list[str] = []
        self.seen: list[str] = []
        self.issued: list[str] = []
        self.fail: dict[str, int] = {}
        self.redirect_uri = self.launch_uri = self.jwks_url = ""
        self.launches: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.refreshes: dict[str, dict[str, Any]] = {}
        self.refreshed = 0
        self.used_up = 0
        self.busy_s = 0.0
        self.jtis: set[str] = set()
        self.app = Flask("peer")
        self._routes()
        self.server = make_server(host, 0, self.app, threaded=True, request_handler=_Quiet)
        self.root = f"http://{host}:{self.server.server_port}"
        self.base = f"{self.root}/fhir"
        self.issuer = f"{self.root}/oidc" if self.on.other_issuer else self.base

    def __enter__(self) -> Peer:
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def register(self, app_url: str) -> None:
        """What the app's owner registers with this EHR."""
        self.redirect_uri, self.launch_uri = f"{app_url}/callback", f"{app_url}/launch"
        self.jwks_url = f"{app_url}/.well-known/jwks.json"

    def launch_url(self, patient: str, path: str = "/launch", encounter: str = "") -> str:
        """The address with which the EHR opens the app for a patient."""
        key = secrets.token_urlsafe(16)
        self.launches[key] = {"patient": patient, "encounter": encounter, "until": time.time() + 60}
        self.issued.append(key)
        return (
            self.launch_uri.removesuffix("/launch")
            + path
            + "?"
            + urlencode({"iss": self.base, "launch": key})
        )

    def note(self, what: str) -> None:
        """Adds to the list of what the app did wrong."""
        self.findings.append(what)

    def expire_tokens(self) -> None:
        """Makes all access tokens invalid now."""
        for token in self.tokens.values():
            token["until"] = 0

    def _routes(self) -> None:
        app = self.app

        @app.before_request
        def keep() -> None:
            self.seen.append(f"{request.method} {request.full_path}")
            g.began = time.perf_counter()

        @app.after_request
        def count(response: Response) -> Response:
            # what the browser waits for before our first page: discovery, sign-in, token and keys
            if not re.match(r"/fhir/[A-Z]", request.path):
                self.busy_s += time.perf_counter() - g.began
            return response

        app.add_url_rule("/fhir/.well-known/smart-configuration", view_func=self._discovery)
        app.add_url_rule("/fhir/.well-known/openid-configuration", "oidc1", view_func=self._oidc)
        app.add_url_rule("/oidc/.well-known/openid-configuration", "oidc2", view_func=self._oidc)
        app.add_url_rule("/jwks", view_func=self._jwks)
        app.add_url_rule("/authorize", view_func=self._authorize, methods=["GET", "POST"])
        app.add_url_rule("/token", view_func=self._token, methods=["POST"])
        app.add_url_rule("/frame", view_func=self._frame)
        app.add_url_rule("/fhir/<path:path>", view_func=self._fhir, methods=["GET", "POST"])

    def _frame(self) -> str:
        frame = f'<iframe src="{request.args["src"]}" width="800" height="600"></iframe>'
        return f'<!doctype html><title>EHR</title><link rel="icon" href="data:,">{frame}'

    def _discovery(self) -> Any:
        if "json" not in request.headers.get("accept", ""):
            self.note("discovery without Accept: application/json")
        if self.on.discovery_raw is not None:
            return self.on.discovery_raw()
        body = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.root}/jwks",
            "authorization_endpoint": f"{self.root}/authorize",
            "token_endpoint": f"{self.root}/token",
            "code_challenge_methods_supported": ["S256"],
            "capabilities": [
                "launch-ehr",
                "launch-standalone",
                "permission-v1",
                "permission-v2",
                "permission-online",
            ],
        }
        body.update(self.on.discovery)
        return jsonify({key: value for key, value in body.items() if value is not None})

    def _oidc(self) -> Any:
        return jsonify(issuer=self.issuer, jwks_uri=f"{self.root}/jwks")

    @property
    def _key(self) -> Any:
        return {"RS": RSA, "ES384": EC, "ES256": EC256}[self.on.id_alg if self.on.id_alg[0] == "E" else "RS"]

    def _jwks(self) -> Any:
        return jsonify(keys=[{**self._key.as_dict(private=False), "use": "sig", "alg": self.on.id_alg}])

    def _granted(self, asked: list[str]) -> list[str]:
        out = []
        for scope in asked:
            match = SCOPE.match(scope)
            if scope in self.on.withhold or (not match and scope not in PLAIN):
                continue
            if (
                match
                and self.on.style != "any"
                and (match[3] in ("read", "write", "*")) != (self.on.style == "v1")
            ):
                continue
            out.append(f"{scope}?category=laboratory" if scope in self.on.narrow else scope)
        return out

    def _authorize(self) -> Any:
        form = request.args if request.method == "GET" else request.form
        if request.method == "GET" and len(request.url) > 8000:
            self.note("authorize: URL too long")
        for name in form:
            if len(form.getlist(name)) > 1:
                self.note(f"authorize: parameter repeated: {name}")
        if form.get("client_id") != self.on.client_id or form.get("redirect_uri") != self.redirect_uri:
            self.note("authorize: client_id or redirect_uri is not the registered one")
            return "not registered", 400

        def back(error: str, what: str) -> Any:
            self.note(f"authorize: {what}")
            return redirect(
                f"{self.redirect_uri}?{urlencode({'error': error, 'state': form.get('state', '')})}"
            )

        if form.get("response_type") != "code":
            return back("unsupported_response_type", "response_type")
        if len(form.get("state", "")) < 22:
            return back("invalid_request", "state too short")
        if form.get("aud") != self.base:
            return back("invalid_request", f"aud is {form.get('aud')}")
        if form.get("code_challenge_method") != "S256" or len(form.get("code_challenge", "")) != 43:
            return back("invalid_request", "no S256 challenge")
        asked = form.get("scope", "").split()
        for scope in asked:
            if scope not in PLAIN and not SCOPE.match(scope):
                self.note(f"authorize: odd scope {scope}")
            if "/*" in scope or scope.endswith((".*", ".write")):
                self.note(f"authorize: asks for too much: {scope}")
        if "openid" in asked and not form.get("nonce"):
            self.note("authorize: openid without nonce")
        context: dict[str, Any] | None
        if form.get("launch"):
            context = self.launches.pop(form["launch"], None)
            if not context or context["until"] < time.time():
                return back("invalid_request", "launch unknown, used or old")
            if "launch" not in asked:
                return back("invalid_scope", "EHR launch without the launch scope")
        else:
            if "launch" in asked:
                self.note("authorize: launch scope without launch")
            context = {"patient": "pt1" if "launch/patient" in asked else None, "encounter": ""}
        if self.on.deny:
            return redirect(
                f"{self.redirect_uri}?{urlencode({'error': self.on.deny, 'state': form['state']})}"
            )
        code = secrets.token_urlsafe(24)
        self.issued.append(code)
        self.issued.append(form["state"])
        self.codes[code] = {
            "scope": self._granted(asked),
            "context": context,
            "challenge": form["code_challenge"],
            "nonce": form.get("nonce"),
            "until": time.time() + 60,
            "used": False,
        }
        answer = {"code": code, "state": form["state"]}
        if self.on.name_issuer:
            answer["iss"] = self.on.name_issuer
        return redirect(f"{self.redirect_uri}?{urlencode(answer)}")

    def _client_problem(self) -> str:
        form, header, on = request.form, request.headers.get("authorization", ""), self.on
        if on.client == "public":
            if header or "client_assertion" in form or "client_secret" in form:
                return "a public client sent credentials"
            return "" if form.get("client_id") == on.client_id else "a public client must send client_id"
        if "client_secret" in form:
            return "client_secret in the body"
        if form.get("client_id"):
            self.note("token: a confidential client also sent client_id in the body")
        if on.client == "symmetric":
            want = "Basic " + base64.b64encode(f"{on.client_id}:{on.secret}".encode()).decode()
            return "" if hmac.compare_digest(header, want) else "HTTP Basic is missing or wrong"
        return self._assertion_problem(
            form.get("client_assertion_type", ""), form.get("client_assertion", "")
        )

    def _assertion_problem(self, kind: str, text: str) -> str:
        if kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return "client_assertion_type"
        try:
            keys = KeySet.import_key_set(requests.get(self.jwks_url, timeout=5).json())
            registry = JWSRegistry(algorithms=["RS384", "ES384"], strict_check_header=False)
            token = jwt.decode(text, keys, registry=registry)
        except (JoseError, ValueError, requests.RequestException) as error:
            return f"client assertion: {type(error).__name__}"
        head, claims, now = token.header, token.claims, time.time()
        if head.get("typ") != "JWT" or not head.get("kid"):
            return "client assertion without typ or kid"
        if claims.get("iss") != self.on.client_id or claims.get("sub") != self.on.client_id:
            return "client assertion iss or sub"
        if claims.get("aud") != f"{self.root}/token":
            return "client assertion aud"
        if not now - 5 < claims.get("exp", 0) <= now + 305:
            return "client assertion lives too long"
        if not claims.get("jti") or claims["jti"] in self.jtis:
            return "client assertion jti repeated"
        self.jtis.add(claims["jti"])
        return ""

    def _refuse(self, error: str, what: str, status: int = 400) -> Any:
        self.note(f"token: {what}")
        return jsonify(error=error, error_description=what), status

    def _token(self) -> Any:
        form = request.form
        problem = self._client_problem()
        if problem:
            return self._refuse("invalid_client", problem, 401)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form)
        code = self.codes.get(form.get("code", ""))
        if form.get("grant_type") != "authorization_code":
            return self._refuse("unsupported_grant_type", "grant_type")
        if not code or code["used"] or code["until"] < time.time():
            return self._refuse("invalid_grant", "code unknown, used or old")
        code["used"] = True
        if form.get("redirect_uri") != self.redirect_uri:
            return self._refuse("invalid_grant", "redirect_uri differs")
        verifier = form.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if not re.fullmatch(r"[A-Za-z0-9\-._~]{43,128}", verifier) or challenge != code["challenge"]:
            return self._refuse("invalid_grant", "code_verifier")
        return self._answer(code["scope"], code["context"], code["nonce"], first=True)

    def _refresh(self, form: Any) -> Any:
        if self.on.refuse_refresh:
            return jsonify(error="invalid_grant"), 400
        name = form.get("refresh_token", "")
        kept = self.refreshes.pop(name, None) if self.on.rotate else self.refreshes.get(name)
        if not kept:
            return self._refuse("invalid_grant", "refresh token unknown or used again")
        if set(form.get("scope", "").split()) - set(kept["scope"]):
            return self._refuse("invalid_scope", "refresh asks for more")
        self.refreshed += 1
        return self._answer(kept["scope"], kept["context"], None, first=False)

    def _answer(self, scope: list[str], context: dict[str, Any], nonce: str | None, *, first: bool) -> Any:
        on, access = self.on, secrets.token_urlsafe(24)
        life = int(on.expires or 300)
        self.tokens[access] = {"scope": scope, "context": context, "until": time.time() + life}
        self.issued.append(access)
        body: dict[str, Any] = {"access_token": access, "token_type": on.token_type, "expires_in": on.expires}
        if on.expires is None:
            del body["expires_in"]
        if on.scope_member:
            body["scope"] = " ".join(scope)
        if context.get("patient") and on.patient and {"launch", "launch/patient"} & set(scope):
            body["patient"] = context["patient"]
            if on.banner is not None:
                body["need_patient_banner"] = on.banner
        if context.get("encounter"):
            body["encounter"] = context["encounter"]
        if on.refresh and {"online_access", "offline_access"} & set(scope):
            token = secrets.token_urlsafe(24)
            self.refreshes[token] = {"scope": scope, "context": context}
            self.issued.append(token)
            body["refresh_token"] = token
        if first and "openid" in scope:
            body["id_token"] = self._id_token(scope, nonce)
            self.issued.append(body["id_token"])
        body.update(on.context)
        return on.token_body(body) if on.token_body is not None else jsonify(body)

    def _id_token(self, scope: list[str], nonce: str | None) -> str:
        on, now = self.on, int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": "user-1",
            "aud": on.client_id,
            "iat": now,
            "exp": now + 300,
        }
        if nonce:
            claims["nonce"] = nonce
        if "fhirUser" in scope:
            claims["fhirUser"] = f"{self.base}/{on.user}" if on.absolute_user else on.user
        claims.update(on.claims)
        claims = {name: value for name, value in claims.items() if value is not None}
        if on.id_token is not None:
            return on.id_token(claims)
        return jwt.encode({"alg": on.id_alg, "kid": self._key.kid}, claims, self._key, algorithms=[on.id_alg])

    def _fhir(self, path: str) -> Any:
        header = request.headers.get("authorization", "")
        token = self.tokens.get(header.removeprefix("Bearer ")) if header.startswith("Bearer ") else None
        if not token or token["until"] < time.time():
            if not token:
                self.note(f"fhir: {path}: no token")
            else:
                self.used_up += 1
            return Response(status=401)
        if self.on.delay_s:
            time.sleep(self.on.delay_s)
        parts = path.split("/")
        kind, search = parts[0], len(parts) == 1 or parts[-1] == "_search"
        if not any(_covers(scope, kind, "s" if search else "r") for scope in token["scope"]):
            self.note(f"fhir: {path}: not covered by the granted scopes")
            return Response(status=403)
        if kind in self.fail:
            return Response(status=self.fail[kind])
        params = request.args if request.method == "GET" else request.form
        if not search:
            found = next((r for r in self._of(kind) if r["id"] == parts[1]), None)
            if found and kind == "Patient" and self.on.swap_patient:
                found = {**found, "id": self.on.swap_patient}
            return _fhir_json(found) if found else Response(status=404)
        patient = params.get("patient", params.get("subject", "")).split("/")[-1]
        if patient != token["context"].get("patient"):
            self.note(f"fhir: {path}: search is not limited to the patient in context")
            return Response(status=403)
        return self._search(kind, patient, int(params.get("_page", 0)), int(params.get("_count", 0) or 0))

    def _of(self, kind: str) -> Iterator[dict[str, Any]]:
        return (resource for resource in self.resources if resource["resourceType"] == kind)

    def _search(self, kind: str, patient: str, start: int, count: int) -> Any:
        hits = [
            r for r in self._of(kind) if r.get("subject", {}).get("reference", "").split("/")[-1] == patient
        ]
        size = min(count or self.on.page, self.on.page)
        links = [{"relation": "self", "url": f"{self.base}/{kind}?patient={patient}"}]
        if start + size < len(hits):
            query = urlencode({"patient": patient, "_count": size, "_page": start + size})
            links.append({"relation": "next", "url": f"{self.base}/{kind}?{query}"})
        entries = [
            {"fullUrl": f"{self.base}/{kind}/{r['id']}", "resource": r, "search": {"mode": "match"}}
            for r in hits[start : start + size]
        ]
        bundle = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(hits),
            "link": links,
            "entry": entries,
        }
        return _fhir_json(bundle)


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """No lines on the terminal."""


def _covers(scope: str, kind: str, letter: str) -> bool:
    match = SCOPE.match(scope)
    return bool(match) and match[2] in ("*", kind) and letter in LETTERS.get(match[3], match[3])


def _fhir_json(body: Any) -> Response:
    return Response(json.dumps(body), content_type="application/fhir+json")
