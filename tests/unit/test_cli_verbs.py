"""The shell command: inputs, formats, exit statuses, and how little it loads."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mappings.evaluation import RelapseCategory
from smart_app import cli
from smart_app.charts import ChartError, read_charts
from smart_app.report_command import read_lines

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
AS_OF = ("--as-of", "2025-12-01T12:00:00Z")
NEGATIVE = SAMPLES / "cd19-negative-dlbcl.json"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("cd19-negative-dlbcl.json", RelapseCategory.CD19_NEGATIVE),
        ("cd19-negative-dlbcl.bundle.json", RelapseCategory.CD19_NEGATIVE),
        ("cd19-positive-mcl.json", RelapseCategory.CD19_POSITIVE),
        ("cd19-low-b-all.json", RelapseCategory.CD19_LOW_OR_PARTIAL),
        ("cd19-unknown-suspected-dlbcl.json", RelapseCategory.CD19_UNKNOWN),
        ("cd19-unknown-suspected-dlbcl.ndjson", RelapseCategory.CD19_UNKNOWN),
        ("lineage-switch-b-all.json", RelapseCategory.LINEAGE_SWITCH),
        ("no-relapse-dlbcl.json", RelapseCategory.NO_RELAPSE),
    ],
)
def test_samples_get_their_category_in_every_form(
    capsys: pytest.CaptureFixture[str], name: str, category: RelapseCategory
) -> None:
    status, out, err = run(capsys, "evaluate", SAMPLES / name, *AS_OF, "--format", "json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["category"] == category.value
    assert found["assessment"]["category"] == category.value
    assert set(found) >= {
        "antigens",
        "timing",
        "offers",
        "needs_result",
        "not_suitable",
        "specialist",
        "knowledge",
    }


def test_cards_and_json_agree(capsys: pytest.CaptureFixture[str]) -> None:
    whole = json.loads(run(capsys, "evaluate", NEGATIVE, *AS_OF, "--format", "json")[1])
    cards = json.loads(run(capsys, "evaluate", NEGATIVE, *AS_OF, "--format", "cards")[1])
    said = cards["cards"][0]["extension"]["org.postcart"]
    assert {name: whole[name] for name in said} == said


def test_summary_is_readable_and_holds_what_a_reader_needs(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "evaluate", NEGATIVE, *AS_OF)
    assert status == 0
    assert max(map(len, out.splitlines())) <= 100
    for words in (
        "CD19 NEGATIVE",
        "OPTIONS, NOT ORDERS",
        "BOXED WARNING",
        "n = ",
        "SOURCES",
        "WHY",
        "COURSE",
        "knowledge",
    ):
        assert words in out
    for words in ("preferred", "recommended", "alert"):
        assert words not in out.lower().replace("not recommended", "")


def test_files_are_written_where_asked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    names = [SAMPLES / "cd19-negative-dlbcl.json", SAMPLES / "no-relapse-dlbcl.json"]
    status, out, _ = run(capsys, "evaluate", *names, *AS_OF, "--format", "json", "--out", tmp_path)
    assert (status, out) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cd19-negative-dlbcl.json",
        "no-relapse-dlbcl.json",
    ]


def test_several_requests_give_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    names = [SAMPLES / "cd19-negative-dlbcl.json", SAMPLES / "no-relapse-dlbcl.json"]
    out = run(capsys, "evaluate", *names, *AS_OF, "--format", "json")[1]
    assert [one["category"] for one in json.loads(out)] == ["cd19-negative", "no-relapse"]


def test_a_folder_of_files_is_one_chart(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bundle = json.loads((SAMPLES / "cd19-negative-dlbcl.bundle.json").read_text())
    for number, entry in enumerate(bundle["entry"]):
        (tmp_path / f"{number}.json").write_text(json.dumps(entry["resource"]))
    out = run(capsys, "evaluate", tmp_path, *AS_OF, "--format", "json")[1]
    assert json.loads(out)["category"] == "cd19-negative"


def test_a_list_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = json.loads((SAMPLES / "cd19-negative-dlbcl.bundle.json").read_text())
    text = json.dumps([entry["resource"] for entry in bundle["entry"]]).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    out = run(capsys, "evaluate", "-", *AS_OF, "--format", "json")[1]
    assert json.loads(out)["category"] == "cd19-negative"


def chart_of(tmp_path: Path, value: Any) -> Path:
    path = tmp_path / "chart.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "not JSON"),
        ("  \n", "empty"),
        ("{", "JSON"),
        ("[" * 1000, "balanced JSON or nested"),
        ("[]", "no Patient"),
        ([{"resourceType": "Patient", "id": "a"}, {"resourceType": "Patient", "id": "b"}], "2 patients"),
    ],
)
def test_what_cannot_be_judged_is_said_with_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, value: Any, words: str
) -> None:
    status, out, err = run(capsys, "evaluate", chart_of(tmp_path, value), *AS_OF)
    assert (status, out) == (2, "")
    assert words in err


def test_missing_files_bad_moments_and_regions(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "evaluate", "/nowhere.json")[0] == 2
    assert run(capsys, "evaluate", NEGATIVE, "--as-of", "yesterday")[0] == 2
    assert run(capsys, "evaluate", NEGATIVE, *AS_OF, "--region", "XX")[0] == 2
    assert run(capsys, "evaluate", NEGATIVE, *AS_OF, "--region", "eu", "--format", "json")[0] == 0


def test_the_patient_can_be_named(tmp_path: Path) -> None:
    two = chart_of(tmp_path, [{"resourceType": "Patient", "id": "a"}, {"resourceType": "Patient", "id": "b"}])
    assert read_charts([str(two)], "b")[0].patient == "b"
    with pytest.raises(ChartError):
        read_charts([str(two)], "")


def test_report_lines_come_back_in_order_and_bad_ones_are_named() -> None:
    lines = [
        b'{"id": "a", "specimen": "lymph node", '
        b'"text": "Lymphoma cells are negative for CD19 and positive for CD20."}\n',
        b"\n",
        b'{"id": "b"}\n',
        b"not json\n",
        b"\xff\n",
        b'{"id": 4, "text": 5}\n',
        b"[" * 100_000 + b"\n",
        b'{"id": "c", "text": ""}\n',
    ]
    answers = list(read_lines(lines))
    assert [answer["id"] for answer in answers] == ["a", "b", None, None, 4, None, "c"]
    assert answers[0]["CD19"] == "negative"
    assert answers[0]["CD20"] == "positive"
    assert answers[0]["words"]["CD19"]
    assert all("error" in answer for answer in answers[1:6])
    assert answers[6]["CD19"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("serve",), "--open"),
        (("serve", "--open", "--host", "0.0.0.0"), "refused"),  # noqa: S104
        (("serve", "--config", "x.toml"), "is not there"),
        (("serve", "--open", "--as-of", "soon"), "date-time"),
        (("knowledge", "check", "/nowhere"), "not a folder"),
    ],
)
def test_unusable_settings_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert words in err


def test_checks_of_what_ships_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "selftest")[0] == 0
    status, out, _ = run(capsys, "knowledge", "lint")
    assert status == 0
    assert out


def test_a_failed_selftest_has_its_own_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smart_app.selftest.run_selftest", lambda evaluate: ("cd19-negative",))
    assert run(capsys, "selftest")[0] == 3
    code = (
        "import sys; from smart_app import cli, serve; "
        "real = serve._readiness; "
        "serve._readiness = lambda settings: real(settings) and {'selftest': 'failed'}; "
        "sys.exit(cli.main(['serve', '--open', '--port', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "self-test failed" in done.stderr
    assert "ready http" not in done.stdout


WEB = ("flask", "werkzeug", "pint", "authlib", "joserfc", "requests", "granian", "jsonschema")


@pytest.mark.parametrize(
    ("sample", "heavy"),
    [("cd19-negative-dlbcl.json", WEB), ("no-relapse-dlbcl.json", (*WEB, "fhir", "pydantic"))],
)
def test_evaluate_loads_no_web_and_no_models_where_nothing_is_said(
    sample: str, heavy: tuple[str, ...]
) -> None:
    code = (
        "import sys; from smart_app.cli import main; "
        f"main(['evaluate', {str(SAMPLES / sample)!r}, '--as-of', '2025-12-01', '--format', 'cards']); "
        f"found = set({heavy!r}) & set(sys.modules); sys.exit(f'loaded {{found}}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
