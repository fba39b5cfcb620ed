"""Nothing of a patient stands in the database in the clear, nor in the spool (T-18, H-66)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dumps import dump, spooled
from records import LATER, a_call, an_override

from smart_app.store import Store, keyed_hash, open_store
from smart_app.store.keys import KeyFault, derived, key_id, load_or_make_key, open_text, read_key, seal_text

KEY = bytes(range(32))
PATIENT, USER, COMMENT, TOKEN = "MARKpatient4711", "MARKuser0815", "MARKcomment Jane Doe", "MARKtoken"
MARKS = (PATIENT, USER, "MARK", "Jane Doe", TOKEN)


def fill(store: Store) -> None:
    """All kinds of rows, made of one patient the way the service makes them."""
    patient, user = keyed_hash(KEY, "north", PATIENT), keyed_hash(KEY, "north", USER)
    store.record_call(a_call(patient_key=patient, user_key=user))
    store.first_use("north", "https://ehr.example.org", TOKEN, LATER)
    for number in range(50):
        store.record_feedback([an_override(card=f"card-{number}", comment=COMMENT)])


def found(content: bytes) -> list[str]:
    """Marks in the clear, in hex (as PostgreSQL dumps bytes) or in UTF-16."""
    lower = content.lower()
    return [
        mark
        for mark in MARKS
        for form in (mark.encode(), mark.encode().hex().encode(), mark.encode("utf-16-le"))
        if form.lower() in lower
    ]


def test_t18_a_thief_of_the_database_finds_no_patient(store: Store, url: str) -> None:
    fill(store)
    assert store.flush()
    while_running = dump(url)
    assert b"card-49" in while_running
    assert found(while_running) == []
    store.close()
    assert found(dump(url)) == []


def test_t18_the_search_itself_finds_what_is_there(store: Store, url: str) -> None:
    store.record_feedback([an_override(reason_display=COMMENT)])
    assert store.flush()
    assert "Jane Doe" in found(dump(url))


def test_t18_the_spool_holds_no_patient_either(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    store = open_store(f"sqlite:///{tmp_path}/blocked/x.db", key=KEY, folder=tmp_path / "spool")
    store.record_call(a_call(patient_key=keyed_hash(KEY, "north", PATIENT)))
    assert store.flush()
    (file,) = spooled(tmp_path / "spool")
    assert b'"hook_instance"' in file.read_bytes()
    assert found(file.read_bytes()) == []
    assert file.stat().st_mode & 0o077 == 0
    store.close()


def test_t18_files_are_for_the_owner_alone(store: Store, tmp_path: Path) -> None:
    fill(store)
    assert store.flush()
    for file in tmp_path.glob("postcart.db*"):
        assert file.stat().st_mode & 0o077 == 0, file.name


def test_t18_a_comment_opens_with_its_key_only() -> None:
    sealed = seal_text(KEY, COMMENT)
    assert open_text(KEY, sealed) == COMMENT
    assert open_text(b"x" * 32, sealed) is None
    assert open_text(KEY, sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
    assert open_text(KEY, b"short") is None
    assert seal_text(KEY, COMMENT) != sealed
    assert seal_text(KEY, "") == b""


def test_keyed_hashes_differ_by_key_site_and_text_and_never_by_where_one_ends() -> None:
    hashes = {
        keyed_hash(key, site, text)
        for key in (KEY, b"x" * 32)
        for site, text in (
            ("north", "p"),
            ("south", "p"),
            ("north", "q"),
            ("northp", ""),
            ("nort", "hp"),
            ("1:n", "o"),
        )
    }
    assert len(hashes) == 12
    assert all(len(one) == 64 for one in hashes)
    assert keyed_hash(KEY, "north", "p") == keyed_hash(KEY, "north", "p")
    assert len({derived(KEY, "a"), derived(KEY, "b"), KEY}) == 3
    assert key_id(KEY) != key_id(b"x" * 32)


def test_a_key_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "store.key"
    key = load_or_make_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make_key(path) == key
    assert [one.name for one in path.parent.iterdir()] == ["store.key"]


def test_of_many_threads_all_get_the_same_new_key(
    tmp_path: Path, threads_of: Callable[..., list[bytes]]
) -> None:
    assert len(set(threads_of(16, lambda: load_or_make_key(tmp_path / "store.key")))) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["store.key"]


@pytest.mark.parametrize("fault", ["mode", "length"])
def test_a_key_file_that_must_not_be_used_is_refused_and_kept(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "store.key"
    key = load_or_make_key(path)
    if fault == "mode":
        path.chmod(0o640)
    else:
        path.write_bytes(key[:-1])
    content = path.read_bytes()
    for read in (load_or_make_key, read_key):
        with pytest.raises(KeyFault, match=r"store\.key"):
            read(path)
    assert path.read_bytes() == content
