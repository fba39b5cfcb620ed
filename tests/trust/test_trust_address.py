"""Addresses: one reading for everybody, or none (T-05, T-07)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st

from ehr.address import Address, AddressFault, parse_address, same_origin, within

REFUSED = {
    "": "empty",
    "ehr.example.org/fhir": "scheme",
    "//ehr.example.org/fhir": "scheme",
    "ftp://ehr.example.org/": "scheme",
    "file:///etc/passwd": "scheme",
    "https:/ehr.example.org/": "scheme",
    "https:ehr.example.org/": "scheme",
    "javascript:alert(1)": "scheme",
    "http://ehr.example.org/fhir": "http",
    "http://127.0.0.1/fhir": "http",
    "https:///fhir": "host",
    "https://./fhir": "host",
    "https://ehr..example.org/": "host",
    "https://ehr.example.org../": "host",
    "https://-ehr.example.org/": "host",
    "https://ehr%2eexample.org/": "host",
    "https://ehr.example.org%00.evil.org/": "host",
    "https://ehr,example.org/": "host",
    "https://" + "a" * 64 + ".org/": "host",
    "https://2130706433/": "host",
    "https://0x7f000001/": "host",
    "https://0x7f.0.0.1/": "host",
    "https://0177.0.0.1/": "host",
    "https://127.1/": "host",
    "https://127.0.0.256/": "host",
    "https://127.0.0.1.5/": "host",
    "https://ehr.example.0x1/": "host",
    "https://0.0.0.0/": "host",
    "https://[::]/": "host",
    "https://[::ffff:127.0.0.1]/": "host",
    "https://[::ffff:7f00:1]/": "host",
    "https://[::127.0.0.1]/": "host",
    "https://[2002:7f00:1::]/": "host",
    "https://[fe80::1%25eth0]/": "host",
    "https://[::1/": "host",
    "https://[::1]x/": "host",
    "https://\uff45hr.example.org/": "host",
    "https://ehr\u3002example.org/": "host",
    "https://ehr.example.org\uff0f.evil.org/": "host",
    "https://\u2488.example.org/": "host",
    "https://user@ehr.example.org/": "user-info",
    "https://user:pass@ehr.example.org/": "user-info",
    "https://ehr.example.org@evil.org/": "user-info",
    "https://@ehr.example.org/": "user-info",
    "https://ehr.example.org:/": "port",
    "https://ehr.example.org:0/": "port",
    "https://ehr.example.org:65536/": "port",
    "https://ehr.example.org:0443/": "port",
    "https://ehr.example.org:44a/": "port",
    "https://ehr.example.org:443:443/": "port",
    "https://ehr.example.org:\u0664\u0664\u0663/": "port",
    "https://ehr.example.org/fhir?x=1": "query",
    "https://ehr.example.org/fhir?": "query",
    "https://ehr.example.org/fhir#x": "fragment",
    "https://ehr.example.org#@evil.org/": "fragment",
    "https://ehr.example.org\\@evil.org/": "characters",
    "https://ehr.example.org\\.evil.org/": "characters",
    " https://ehr.example.org/": "characters",
    "https://ehr.example.org/ ": "characters",
    "https://ehr.example.org/\n": "characters",
    "https://ehr.exam\tple.org/": "characters",
    "https://ehr.example.org/\x00": "characters",
    "https://ehr.example.org/\x85": "characters",
    "https://ehr.example.org/fhir/../x": "path",
    "https://ehr.example.org/./fhir": "path",
    "https://ehr.example.org/fhir/..": "path",
    "https://ehr.example.org/%2e%2e/x": "path",
    "https://ehr.example.org/.%2E/x": "path",
    "https://ehr.example.org/%252e%252e/x": "path",
    "https://ehr.example.org/fhir/..;a=b/x": "path",
    "https://ehr.example.org/fhir%2fx": "path",
    "https://ehr.example.org/fhir%5cx": "path",
    "https://ehr.example.org/fhir%252fx": "path",
    "https://ehr.example.org/fhir%00": "path",
    "https://ehr.example.org/fhir%": "path",
    "https://ehr.example.org/fhir%zz": "path",
    "https://ehr.example.org/fh\u00efr": "path",
    "https://ehr.example.org//evil.org/": "path",
    "https://ehr.example.org/" + "a" * 4096: "too-long",
}


@pytest.mark.parametrize(("text", "code"), REFUSED.items())
def test_t_05_t_07_what_readers_could_read_in_two_ways_is_refused(text: str, code: str) -> None:
    with pytest.raises(AddressFault) as refused:
        parse_address(text)
    assert refused.value.code == code
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("https://EHR.Example.ORG/FHIR/R4", "https://ehr.example.org", ("FHIR", "R4")),
        ("HTTPS://ehr.example.org:443/FHIR/R4/", "https://ehr.example.org", ("FHIR", "R4")),
        ("https://ehr.example.org.", "https://ehr.example.org", ()),
        ("https://ehr.example.org:8443/a%20b", "https://ehr.example.org:8443", ("a%20b",)),
        ("https://b\u00fccher.example/", "https://xn--bcher-kva.example", ()),
        ("https://10.1.2.3/fhir", "https://10.1.2.3", ("fhir",)),
        ("https://[2001:DB8::0:1]:8443/", "https://[2001:db8::1]:8443", ()),
        (
            "https://ehr_test.example.org/$everything/a|b".replace("|", "%7C"),
            "https://ehr_test.example.org",
            ("$everything", "a%7Cb"),
        ),
        ("https://ehr.example.org/100%25/x", "https://ehr.example.org", ("100%25", "x")),
    ],
)
def test_good_addresses_have_one_spelling(text: str, origin: str, path: tuple[str, ...]) -> None:
    address = parse_address(text)
    assert (address.origin, address.path) == (origin, path)
    assert parse_address(address.text) == address


def test_http_only_where_allowed_and_only_on_loopback() -> None:
    for host in ("127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "[::1]"):
        assert parse_address(f"http://{host}:8080/fhir", allow_http=True).loopback
    for host in (
        "ehr.example.org",
        "localhost.example.org",
        "10.0.0.1",
        "127.0.0.1.example.org",
        "[2001:db8::1]",
    ):
        with pytest.raises(AddressFault, match="https"):
            parse_address(f"http://{host}/", allow_http=True)


def test_a_query_counts_when_it_is_allowed() -> None:
    one, other = (parse_address(f"https://e.example.org/f?p={n}", allow_query=True) for n in (1, 2))
    assert one != other
    assert one.text.endswith("/f?p=1")
    assert parse_address("https://e.example.org?x=@evil.org/", allow_query=True).host == "e.example.org"


def test_t_07_within_compares_origins_and_whole_segments() -> None:
    base = parse_address("https://ehr.example.org/fhir/R4")
    for inside in ("/fhir/R4", "/fhir/R4/", "/fhir/R4/Patient/1"):
        assert within(base, parse_address("https://EHR.example.org:443" + inside))
    for outside in (
        "https://ehr.example.org/fhir/R4x/Patient/1",
        "https://ehr.example.org/fhir",
        "https://ehr.example.org/FHIR/R4/Patient/1",
        "https://ehr.example.org/a/fhir/R4",
        "https://ehr.example.org.evil.org/fhir/R4/Patient/1",
        "https://ehr.example.org:8443/fhir/R4/Patient/1",
        "https://evil.org/fhir/R4/Patient/1",
    ):
        assert not within(base, parse_address(outside))
    assert not same_origin(
        parse_address("https://127.0.0.1:80/"), parse_address("http://127.0.0.1/", allow_http=True)
    )


_WORDS = (
    "https:// http:// HTTPS:// ehr.example.org evil.org 127.0.0.1 [::1] localhost @ : # ? / \\ . .. %2e %40 % ; & ="
    " [ ] :443 :80 \u3002 \uff0f 0x7f 1 xn-- \u00df \u212a \u0130 _ - , | // \x00 \t \u00ad \u200d"
)
_PIECES = st.sampled_from([*_WORDS.split(" "), " "])


@given(
    text=st.one_of(
        st.lists(_PIECES, max_size=8).map(lambda parts: "https://" + "".join(parts)),
        st.lists(_PIECES, max_size=8).map("".join),
        st.text(max_size=40),
    ),
    allow_query=st.booleans(),
)
@example(text="https://ehr.example.org?@evil.org", allow_query=True)
@example(text="https://\u212a.example.org", allow_query=False)
@example(text="https://stra\u00dfe.example.org", allow_query=False)
def test_t_05_t_07_no_other_parser_reads_another_host(text: str, allow_query: bool) -> None:
    try:
        address = parse_address(text, allow_http=True, allow_query=allow_query)
    except AddressFault:
        return
    for spelling in (text, address.text):
        host = _host_by_requests(spelling)
        assert host.removesuffix(".") == address.host, spelling
        assert (urllib3.util.parse_url(address.text).host or "").strip("[]") == address.host
        assert urlsplit(address.text).hostname == address.host
    assert parse_address(address.text, allow_http=True, allow_query=allow_query) == address
    assert isinstance(address, Address)
    assert address.scheme == "https" or address.loopback


def _host_by_requests(text: str) -> str:
    prepared = requests.Request("GET", text).prepare()
    assert prepared.url is not None
    return urlsplit(prepared.url).hostname or ""
