"""Where requests and tokens may go: to the registered base and nowhere else (T-07, T-08, T-09)."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lying
import pytest
from builders import PATIENT, body, prefetch
from lying import TOKEN, Canary, LyingServer

from cds_hooks.gaps import GapReport, fill_gaps
from cds_hooks.needs import queries
from ehr.address import parse_address
from ehr.fhir import FhirLink, TokenMisdirected, _Headers
from ehr.queries import ReadState
from ehr.site import Site
from ehr.transport import Deadline, Transport
from mappings.reading.decode import Decoded, decode_request

CONTEXT: Any = SimpleNamespace(patientId=PATIENT)
OBSERVATIONS = queries(PATIENT, "Observation")


def request(server: str, **authorization: Any) -> Decoded:
    """A hook request without observations that names a server and carries a token."""
    whole = json.loads(body(prefetch(observations=...)))
    whole["fhirServer"] = server
    whole["fhirAuthorization"] = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "user/*.read",
        "subject": "postcart",
        **authorization,
    }
    return decode_request(json.dumps(whole).encode())


def call(server: str, site: Site, link: FhirLink, **authorization: Any) -> tuple[GapReport, Decoded]:
    decoded = request(server, **authorization)
    return fill_gaps(decoded, CONTEXT, site, link, Deadline.after(2)), decoded


# ---- T-07: what the request names as its server

LOOK_ALIKES = (
    "http://127.0.0.1:{canary}/fhir",
    "http://127.0.0.1:{port}@127.0.0.1:{canary}/fhir",
    "http://127.0.0.1:{port}%40127.0.0.1:{canary}/fhir",
    "http://user@127.0.0.1:{port}/fhir",
    "http://:@127.0.0.1:{port}/fhir",
    "http://127.0.0.1:{canary}#@127.0.0.1:{port}/fhir",
    "http://127.0.0.1:{port}#@127.0.0.1:{canary}/fhir",
    "http://127.0.0.1:{canary}/fhir?x=http://127.0.0.1:{port}/fhir",
    "http://127.0.0.1:{port}/fhir?tenant=b",
    "http://127.0.0.1:{port}/fhir#x",
    "http://127.0.0.1:{canary}\\@127.0.0.1:{port}/fhir",
    "http:\\\\127.0.0.1:{port}/fhir",
    "http://2130706433:{port}/fhir",
    "http://0x7f000001:{port}/fhir",
    "http://0177.0.0.1:{port}/fhir",
    "http://127.1:{port}/fhir",
    "http://[::ffff:127.0.0.1]:{port}/fhir",
    "http://[::ffff:7f00:1]:{port}/fhir",
    "http://127.0.0.1.nip.io:{port}/fhir",
    "http://127.0.0.1:{port}.evil.example/fhir",
    "http://127.0.0.1:{port}0/fhir",
    "http://127.0.0.1/fhir",
    "http://127.0.0.1:{port}/fhirx",
    "http://127.0.0.1:{port}/fhir/../other",
    "http://127.0.0.1:{port}/fhir/tenant-b",
    "http://127.0.0.1:{port}/FHIR",
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/fhir",
    "http://localhost:{port}/fhir",
    "http://①②⑦.0.0.1:{port}/fhir",
    "file:///etc/passwd",
    "http://127.0.0.1:{port}\t/fhir",
)


@pytest.mark.parametrize("spelling", LOOK_ALIKES)
def test_t07_no_request_leaves_for_a_server_that_is_not_the_sites_own(
    server: LyingServer, site: Site, link: FhirLink, canary: Canary, spelling: str
) -> None:
    port = server.base.split(":")[2].split("/")[0]
    report, decoded = call(spelling.format(port=port, canary=canary.port), site, link)
    assert report.server_not_registered
    assert report.requests == 0
    assert report.keys["observations"] == "absent"
    assert server.calls == []
    assert canary.heard == []
    assert decoded.fetched["observations"].reason == "the FHIR server named is not registered for this site"


@pytest.mark.parametrize("spelling", ["{base}", "{base}/", "HTTP{rest}"])
def test_t07_other_spellings_of_the_own_server_are_read_at_the_registered_base(
    server: LyingServer, site: Site, link: FhirLink, spelling: str
) -> None:
    report, _ = call(spelling.format(base=server.base, rest=server.base[4:]), site, link)
    assert (report.server_not_registered, report.keys["observations"]) == (False, "fetched")
    assert [one.headers["authorization"] for one in server.calls] == [f"Bearer {TOKEN}"]


PRODUCTION = "https://fhir.hospital.example/api/FHIR/R4"


class NoTransport(Transport):
    """Fails the test as soon as anything would leave."""

    def _send(self, *_: Any) -> Any:
        raise AssertionError("a request left")


@pytest.mark.parametrize(
    "spelling",
    [
        "https://fhir.hospital.example.evil.test/api/FHIR/R4",
        "https://fhir.hospital.example@evil.test/api/FHIR/R4",
        "https://evil.test/https://fhir.hospital.example/api/FHIR/R4",
        "https://fhir.hospital.example:444/api/FHIR/R4",
        "http://fhir.hospital.example/api/FHIR/R4",
        "https://fhir.hospital.example/api/FHIR/R4evil",
        "https://fhir.hospital.example/api/FHIR",
        "https://fhir.hospital.example/api/FHIR/R4/%2e%2e/evil",
        "https://fhir.hospital.exаmple/api/FHIR/R4",  # the a is Cyrillic
        "//fhir.hospital.example/api/FHIR/R4",
    ],
)
def test_t07_look_alikes_of_a_production_server_are_refused_before_anything_leaves(spelling: str) -> None:
    link = FhirLink(NoTransport())
    report, _ = call(spelling, Site("hospital", fhir_base=PRODUCTION), link)
    assert report.server_not_registered
    assert report.requests == 0
    link.close()


def test_t07_a_site_without_a_fhir_base_is_never_read(server: LyingServer, link: FhirLink) -> None:
    report, _ = call(server.base, Site("blank", environment="test"), link)
    assert (report.server_not_registered, report.requests, server.calls) == (True, 0, [])


def test_t07_a_token_gets_no_header_but_for_the_registered_base() -> None:
    headers = _Headers(parse_address(PRODUCTION), "id")
    own = parse_address(f"{PRODUCTION}/Patient/1")
    assert headers.of(own, TOKEN)["Authorization"] == f"Bearer {TOKEN}"
    for other in (
        "https://fhir.hospital.example/api/FHIR/R4evil/x",
        "https://evil.test/api/FHIR/R4/Patient/1",
    ):
        with pytest.raises(TokenMisdirected):
            headers.of(parse_address(other), TOKEN)


def test_an_id_that_climbs_out_of_the_base_is_not_asked_for(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    found = link.fetch(site, queries("..", "Patient"), token=TOKEN, deadline=Deadline.after(2))
    assert (found["patient"].state, found["patient"].requests) == (ReadState.FAILED, 0)
    assert server.calls == []


@pytest.mark.parametrize(
    ("environment", "authorization", "requests"),
    [
        ("test", {"patient": "somebody-else"}, 0),
        ("test", {"token_type": "MAC"}, 0),
        ("test", {"patient": PATIENT}, 1),
        ("test", {"token_type": "bearer"}, 1),
        ("test", {"access_token": ""}, 1),
        ("production", {"access_token": ""}, 0),
    ],
)
def test_only_a_bearer_token_for_this_patient_opens_the_server(
    server: LyingServer, link: FhirLink, environment: str, authorization: dict[str, str], requests: int
) -> None:
    base = server.base if environment == "test" else PRODUCTION
    report, _ = call(base, Site("s", environment=environment, fhir_base=base), link, **authorization)
    assert report.requests == len(server.calls) == requests


# ---- T-08: where a lying server points to


def test_t08_a_redirect_is_not_followed(
    server: LyingServer, site: Site, link: FhirLink, canary: Canary
) -> None:
    server.tricks["Observation"] = lying.redirect(f"http://127.0.0.1:{canary.port}/fhir/Observation")
    found = link.fetch(site, OBSERVATIONS, token=TOKEN, deadline=Deadline.after(2))["observations"]
    assert (found.state, found.code) == (ReadState.FAILED, "origin")
    assert canary.heard == []
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    "following",
    [
        "http://127.0.0.1:{canary}/fhir/Observation?page=2",
        "http://127.0.0.1:{port}@127.0.0.1:{canary}/fhir/Observation?page=2",
        "http://localhost:{port}/fhir/Observation?page=2",
        "http://127.0.0.1:{port}/other/Observation?page=2",
        "http://127.0.0.1:{port}/fhir/../other?page=2",
        "http://127.0.0.1:{port}/fhir/%2e%2e/other?page=2",
        "//127.0.0.1:{canary}/fhir/Observation?page=2",
        "/\\127.0.0.1:{canary}/fhir/Observation?page=2",
        "javascript:alert(1)",
        " ",
    ],
)
def test_t08_a_next_link_out_of_the_registered_base_is_not_followed(
    server: LyingServer, site: Site, link: FhirLink, canary: Canary, following: str
) -> None:
    port = server.base.split(":")[2].split("/")[0]
    server.tricks["Observation"] = lying.next_at(following.format(port=port, canary=canary.port))
    found = link.fetch(site, OBSERVATIONS, token=TOKEN, deadline=Deadline.after(2))["observations"]
    assert (found.state, found.code) == (ReadState.INCOMPLETE, "origin")
    assert canary.heard == []
    assert len(server.calls) == 1


def test_a_relative_next_link_is_taken_from_the_base(server: LyingServer, site: Site, link: FhirLink) -> None:
    server.tricks["Observation"] = lying.at([1], lying.next_at("Observation?_page=0"))
    found = link.fetch(site, OBSERVATIONS, token=TOKEN, deadline=Deadline.after(2))["observations"]
    assert (found.state, len(found.pages)) == (ReadState.COMPLETE, 2)


def test_t08_a_prefetched_next_link_is_checked_like_any_other(
    server: LyingServer, site: Site, link: FhirLink, canary: Canary
) -> None:
    whole = json.loads(body(prefetch()))
    whole["prefetch"]["observations"]["link"] = [
        {"relation": "next", "url": f"http://127.0.0.1:{canary.port}/fhir/Observation?page=2"}
    ]
    whole["fhirServer"] = server.base
    decoded = decode_request(json.dumps(whole).encode())
    report = fill_gaps(decoded, CONTEXT, site, link, Deadline.after(2))
    assert report.keys["observations"] == "failed:origin"
    assert decoded.fetched["observations"].state == "incomplete"
    assert canary.heard == []
    assert server.calls == []


# ---- T-09: what the host machine holds


def test_t09_neither_netrc_nor_proxy_variables_touch_a_call(
    server: LyingServer, site: Site, link: FhirLink, canary: Canary,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login thief password thief\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for token in (TOKEN, None):
        found = link.fetch(site, OBSERVATIONS, token=token, deadline=Deadline.after(2))["observations"]
        assert found.code == "ok"
    assert canary.heard == []
    assert [one.headers.get("authorization") for one in server.calls] == [f"Bearer {TOKEN}", None]


def test_t09_the_library_would_read_them_if_it_were_let(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The test above sets what `requests` does read by itself."""
    import requests

    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login thief password thief\n")
    monkeypatch.setenv("NETRC", str(netrc))
    prepared = requests.Session().prepare_request(
        requests.Request("GET", "http://127.0.0.1/", headers={"Authorization": "Bearer x"})
    )
    assert prepared.headers["Authorization"].startswith("Basic ")


def test_no_cookie_of_one_call_travels_with_the_next(server: LyingServer, site: Site, link: FhirLink) -> None:
    """A session cookie that a server ties to one user must not go out with another user's token (H-02)."""
    content = json.dumps({"resourceType": "Bundle", "type": "searchset"}).encode()
    server.tricks["Observation"] = lying.body(content, Set_Cookie="session=of-user-a; Path=/")
    for _ in range(2):
        link.fetch(site, OBSERVATIONS, token=TOKEN, deadline=Deadline.after(2))
    assert [one.headers.get("cookie") for one in server.calls] == [None, None]


def test_an_address_with_credentials_in_it_is_not_requested(canary: Canary) -> None:
    from ehr.transport import TransportFault

    with pytest.raises(TransportFault, match="bad"):
        Transport().get(
            f"http://a:b@127.0.0.1:{canary.port}/", headers={}, deadline=Deadline.after(1), max_bytes=10
        )
    assert canary.heard == []


def test_headers_name_product_and_request(server: LyingServer, site: Site, link: FhirLink) -> None:
    for given in ("abc-123", "bad id\r\n", ""):
        link.fetch(site, OBSERVATIONS, token=None, deadline=Deadline.after(2), request_id=given)
    first, second, third = (one.headers for one in server.calls)
    assert first["accept"] == "application/fhir+json"
    assert first["user-agent"].startswith("postcart")
    assert first["x-request-id"] == "abc-123"
    assert len(second["x-request-id"]) == len(third["x-request-id"]) == 36
