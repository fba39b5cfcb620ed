"""What a card's link carries: signed, short-lived, of one patient at one site (H-05)."""

from __future__ import annotations

import base64
import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.app_context import MINUTES, AppContext, ContextFault, read_context, sign_context, smart_link

KEY = bytes(range(32))
NOW = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
SITE, PATIENT = "north", "syn-patient-77"
CARD = "5b8c8a7e-0d3f-4f3b-9a52-4b8f6a7a1c11"
DIGEST = "0123456789abcdef0123456789abcdef"


def signed(now: datetime = NOW, site: str = SITE, patient: str = PATIENT, key: bytes = KEY) -> str:
    return sign_context(key, site, patient, CARD, now, facts_digest=DIGEST)


def code(text: str, now: datetime = NOW, site: str = SITE, patient: str = PATIENT, key: bytes = KEY) -> str:
    """The code of the refusal; empty where it is taken."""
    try:
        read_context(key, text, site, patient, now)
    except ContextFault as fault:
        return fault.code
    return ""


def test_there_and_back() -> None:
    assert read_context(KEY, signed(), SITE, PATIENT, NOW) == AppContext(CARD, DIGEST)
    late = NOW + timedelta(minutes=MINUTES, seconds=-1)
    assert read_context(KEY, signed(), SITE, PATIENT, late) == AppContext(CARD, DIGEST)


def test_h05_expires_after_ten_minutes() -> None:
    assert MINUTES == 10
    assert code(signed(), NOW + timedelta(minutes=10)) == "expired"
    assert code(signed(), NOW + timedelta(days=400)) == "expired"
    assert code(signed(), NOW - timedelta(minutes=5)) == "expired"
    assert code(signed(), NOW - timedelta(seconds=30)) == ""


def test_h05_of_another_patient_is_refused() -> None:
    assert code(signed(), patient="somebody-else") == "other-patient"


def test_h05_of_another_site_is_refused() -> None:
    assert code(signed(), site="south") == "other-site"


def test_h05_of_another_key_is_refused() -> None:
    assert code(signed(), key=bytes(32)) == "altered"


def test_h05_every_altered_character_is_refused() -> None:
    text = signed()
    letters = string.ascii_letters + string.digits + "-_"
    for place in range(len(text)):
        for letter in (letters[place % 64], letters[(place + 31) % 64]):
            if letter != text[place]:
                assert code(text[:place] + letter + text[place + 1 :]) in ("altered", "malformed")


@given(st.binary(max_size=200))
def test_h05_no_made_up_bytes_are_taken(raw: bytes) -> None:
    text = "pcx1." + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert code(text) in ("malformed", "altered")


@given(st.text(max_size=300))
def test_h05_no_made_up_text_is_taken(text: str) -> None:
    assert code(text) == "malformed"


@pytest.mark.parametrize("extra", ["=", "==", " ", "\n", ".", "A"])
def test_h05_only_one_spelling_is_taken(extra: str) -> None:
    assert code(signed() + extra) == "malformed"
    assert code(extra + signed()) == "malformed"


def test_it_says_nothing_of_the_patient_or_site() -> None:
    text = signed()
    raw = base64.urlsafe_b64decode(text.removeprefix("pcx1.") + "==")
    for name in (SITE, PATIENT):
        assert name not in text
        assert name.encode() not in raw
    assert len(text) < 300


def test_it_is_no_jwt_and_no_jwt_is_one() -> None:
    """Neither can be taken for the other: other form, other key."""
    assert signed().count(".") == 1
    assert code("eyJhbGciOiJIUzI1NiJ9.e30.c2ln") == "malformed"


def test_its_key_is_its_own() -> None:
    """The service key signs no context directly: what else it signs never passes here."""
    import hmac

    body = base64.urlsafe_b64decode(signed().removeprefix("pcx1.") + "==")[:-32]
    other = body + hmac.digest(KEY, body, "sha256")
    assert code("pcx1." + base64.urlsafe_b64encode(other).rstrip(b"=").decode()) == "altered"


@pytest.mark.parametrize("wrong", ["", "0" * 31, "0" * 33, "G" * 32, "0" * 32 + "\n"])
def test_a_digest_of_another_form_is_a_fault_of_the_caller(wrong: str) -> None:
    with pytest.raises(ValueError, match="facts_digest"):
        sign_context(KEY, SITE, PATIENT, CARD, NOW, facts_digest=wrong)


def test_a_short_key_a_zoneless_time_and_an_odd_card_are_faults_of_the_caller() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        signed(key=b"short")
    with pytest.raises(ValueError, match="time zone"):
        signed(now=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="UUID"):
        sign_context(KEY, SITE, PATIENT, "no-uuid", NOW, facts_digest=DIGEST)


def test_the_link_is_the_registered_address_alone() -> None:
    """Invariant 9: nothing of a patient or call stands in the address."""
    link = smart_link("https://postcart.example.org/", "Open", signed())
    assert link["url"] == "https://postcart.example.org/launch"
    assert (link["type"], link["label"]) == ("smart", "Open")
    assert link["appContext"] == signed()
    assert "appContext" not in smart_link("https://postcart.example.org", "Open")
