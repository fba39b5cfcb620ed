"""`postcart audit` and `postcart feedback` as IT runs them, on both databases (T-30)."""

from __future__ import annotations

import argparse
import csv
import io
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from dumps import tamper
from records import NOW, a_call, an_override

from cds_hooks.memory import CardShown
from smart_app import audit_command, feedback_command
from smart_app.store import Store, load_or_make_key, open_store

SITE = """
[[site]]
name = "north"
region = "US"
iss = ["https://north.example.org"]
jku = ["https://north.example.org/keys"]
"""


@pytest.fixture
def config(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("POSTCART_DATABASE_URL", raising=False)
    monkeypatch.delenv("POSTCART_CONFIG", raising=False)
    file = tmp_path / "sites.toml"
    top = f'public_url = "https://cds.example.org"\ndatabase_url = "{url}"\nkey_dir = "{tmp_path}/keys"\n'
    file.write_text(top + SITE)
    return file


@pytest.fixture
def kept(config: Path, url: str, tmp_path: Path) -> Store:
    """A store with four calls at two sites and feedback on some of their cards."""
    store = open_store(
        url, key=load_or_make_key(tmp_path / "keys" / "store.key"), folder=tmp_path / "postcart-state"
    )
    card = CardShown("card-2", "order-check", "facts-1")
    store.record_call(a_call())
    store.record_call(a_call(cards=(card,), at=NOW + timedelta(days=1), tenant="=HYPERLINK(1)"))
    store.record_call(a_call(cards=(CardShown("card-3", "cd19-negative", "f"),), silent=True))
    store.record_call(a_call(site="south", category="no-relapse", cards=(), at=NOW + timedelta(days=2)))
    store.record_feedback(
        [
            an_override(comment="COMMENT"),
            an_override(outcome="accepted", accepted_suggestions=("s",), reason_code=""),
            an_override(card="card-2", reason_code="", at=NOW + timedelta(days=1)),
            an_override(card="of-nobody"),
        ]
    )
    assert store.flush()
    store.close()
    return store


def call(module: object, *words: str) -> int:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)  # type: ignore[attr-defined]
    status: int = module.run(parser.parse_args(words))  # type: ignore[attr-defined]
    return status


Output = pytest.CaptureFixture[str]


def test_t30_verify_says_whole_and_names_the_end(kept: Store, config: Path, capsys: Output) -> None:
    assert call(audit_command, "verify", "--config", str(config)) == 0
    out = capsys.readouterr().out
    assert out.startswith("audit: 4 rows, whole, end 4:")
    end = out.split()[-1]
    assert call(audit_command, "verify", "--config", str(config), "--anchor", end) == 0


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit SET category = 'no-relapse' WHERE seq = 2", "row 2: altered"),
        ("UPDATE audit SET at = 'no moment' WHERE seq = 2", "row 2: altered"),
        ("UPDATE audit SET keys = 'no json', hash = 'é' WHERE seq = 2", "row 2: altered"),
        ("DELETE FROM audit WHERE seq = 2", "row 3: dropped"),
        ("DELETE FROM audit WHERE seq = 4", "row 4: cut"),
        ("DELETE FROM audit", "row 4: cut"),
    ],
)
@pytest.mark.parametrize("form", ["verify", "csv", "jsonl"])
def test_t30_verify_and_export_name_the_row_at_fault(
    kept: Store, config: Path, url: str, capsys: Output, statement: str, words: str, form: str
) -> None:
    tamper(url, statement)
    action = ("verify",) if form == "verify" else ("export", "--format", form)
    assert call(audit_command, *action, "--config", str(config)) == 1
    said = capsys.readouterr()
    assert words in (said.out if form == "verify" else said.err)


def test_t30_rows_cut_with_their_tail_show_by_the_anchor_the_service_wrote_down(
    kept: Store, config: Path, url: str, tmp_path: Path, capsys: Output
) -> None:
    key = load_or_make_key(tmp_path / "keys" / "store.key")
    open_store(url, key=key, folder=tmp_path / "postcart-state").close()
    call(audit_command, "export", "--format", "jsonl", "--config", str(config))
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    tamper(
        url,
        "DELETE FROM audit WHERE seq > 2",
        f"UPDATE meta SET value = '2:{rows[1]['hash']}' WHERE name = 'audit_tail'",  # noqa: S608
    )
    assert call(audit_command, "verify", "--config", str(config)) == 1
    assert "row 4: anchor" in capsys.readouterr().out


def test_export_csv_holds_every_row_and_no_formula(kept: Store, config: Path, capsys: Output) -> None:
    assert call(audit_command, "export", "--config", str(config)) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["seq"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["at"] == "2026-03-01T12:00:00.250000Z"
    assert rows[1]["tenant"] == "'=HYPERLINK(1)"


def test_export_json_lines_of_a_site_since_a_day(kept: Store, config: Path, capsys: Output) -> None:
    assert (
        call(audit_command, "export", "--format", "jsonl", "--config", str(config), "--since", "2026-03-02")
        == 0
    )
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["seq"] for row in rows] == [2, 4]
    assert rows[0]["keys"] == {"patient": "complete", "reports": "cut-short"}
    assert rows[0]["cards"] == [["card-2", "order-check", "facts-1", []]]
    assert call(audit_command, "export", "--format", "jsonl", "--config", str(config), "--site", "south") == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [4]


def test_export_to_a_file_is_whole_and_private(
    kept: Store, config: Path, tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "audit.csv"
    assert call(audit_command, "export", "--config", str(config), "--out", str(out)) == 0
    assert len(out.read_text().splitlines()) == 5
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert capsys.readouterr().out == ""
    assert call(audit_command, "export", "--config", str(config), "--out", str(tmp_path / "no" / "x")) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_store_may_be_open_and_written_during_an_export(
    kept: Store, config: Path, url: str, tmp_path: Path, capsys: Output
) -> None:
    store = open_store(
        url, key=load_or_make_key(tmp_path / "keys" / "store.key"), folder=tmp_path / "postcart-state"
    )
    for _ in range(5):
        store.record_call(a_call())
        assert call(audit_command, "verify", "--config", str(config)) == 0
    assert store.flush()
    store.close()
    assert call(audit_command, "verify", "--config", str(config)) == 0
    assert "audit: 9 rows, whole" in capsys.readouterr().out


def test_feedback_summary_counts_by_category_and_reason_and_shows_no_comment(
    kept: Store, config: Path, capsys: Output
) -> None:
    assert call(feedback_command, "summary", "--config", str(config)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "north: (card not known)",
        "  shown 0, accepted 0, overridden 1, comments 0",
        "  override reasons: action-completed 1",
        "north: cd19-negative",
        "  shown 1, accepted 1 (100% of shown), overridden 1, comments 1",
        "  override reasons: action-completed 1",
        "north: cd19-negative, order-check",
        "  shown 1, accepted 0 (0% of shown), overridden 1, comments 0",
        "  override reasons: (no reason) 1",
    ]


def test_feedback_summary_of_a_site_since_a_day_as_json(kept: Store, config: Path, capsys: Output) -> None:
    since = ("--since", "2026-03-02", "--format", "json")
    assert call(feedback_command, "summary", "--config", str(config), *since) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["kind"], one["shown"], one["reasons"]) == ("order-check", 1, {"(no reason)": 1})
    assert call(feedback_command, "summary", "--config", str(config), "--site", "south") == 0
    assert capsys.readouterr().out == "No card went out and no feedback came in.\n"


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--anchor", "x"), ("--config", "nowhere.toml")])
def test_wrong_input_is_exit_2_with_a_sentence(
    kept: Store, config: Path, capsys: Output, words: tuple[str, ...]
) -> None:
    assert call(audit_command, "verify", "--config", str(config), *words) == 2
    assert capsys.readouterr().err.startswith("postcart: ")


def test_a_store_that_is_not_there_is_not_made(
    config: Path, url: str, tmp_path: Path, capsys: Output
) -> None:
    assert call(audit_command, "verify", "--config", str(config)) == 2
    assert "The key " in capsys.readouterr().err
    load_or_make_key(tmp_path / "keys" / "store.key")
    assert call(audit_command, "verify", "--config", str(config)) == 2
    assert "There is no database" in (said := capsys.readouterr().err) or "holds no store" in said
    assert not list(tmp_path.glob("*.db*"))


def test_h61_commands_refuse_a_newer_database(kept: Store, config: Path, url: str, capsys: Output) -> None:
    tamper(url, "UPDATE alembic_version SET version_num = '9999'")
    assert call(audit_command, "verify", "--config", str(config)) == 2
    assert "revision 9999" in capsys.readouterr().err


def test_without_a_file_the_command_says_what_to_give(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.delenv("POSTCART_CONFIG", raising=False)
    assert call(audit_command, "verify") == 2
    assert "--config" in capsys.readouterr().err
