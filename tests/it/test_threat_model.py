"""The published threat model: every row is there, every test it names exists, and the controls that had none have one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from smart_app.app import create_app
from smart_app.it.kept import kept
from smart_app.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| T-\d\d ", line)
]
PRODUCT = ("mappings", "ehr", "cds_hooks", "smart_app")


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_row_is_there_once_and_in_order() -> None:
    assert [row[0][:4] for row in ROWS] == [f"T-{number:02}" for number in range(1, 37)]


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:4] for row in ROWS])
def test_a_row_has_a_control_and_tests_that_exist(row: list[str]) -> None:
    _, boundary, attack, control, tests = row
    assert re.fullmatch(r"\d+(/\d+)?", boundary)
    assert len(attack.split()) >= 3
    assert len(control.split()) >= 5
    named = re.findall(r"`([^`]+)`", tests)
    assert named
    assert re.sub(r"`[^`]+`|\s", "", tests) == "", "nothing but names stands in this column"
    for node in named:
        file, _, name = node.partition("::")
        assert (ROOT / file).is_file(), node
        assert name in functions(file), node


def test_a_name_that_is_not_there_would_be_found() -> None:
    assert "test_nothing_of_the_kind" not in functions("tests/it/test_threat_model.py")
    assert "test_every_row_is_there_once_and_in_order" in functions("tests/it/test_threat_model.py")


def test_every_named_boundary_is_described() -> None:
    described = set(re.findall(r"^\| B(\d+) \|", TEXT, re.MULTILINE))
    assert described == {str(number) for number in range(1, 11)}
    assert {part for row in ROWS for part in row[1].split("/")} <= described


def test_the_data_that_lie_in_memory_in_the_clear_are_named() -> None:
    from ehr.site import Config, Site

    clear = [one.name for one in kept(Config(public_url="", sites=()), Site(name="")) if one.kind == "chart"]
    assert clear == ["hook call", "chart cache of the app", "report text memo"]
    for words in ("chart of a hook call", "chart cache of the app", "report text memo"):
        assert f"| {words}" in TEXT


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_t22_t24_nothing_unpacks_archives_or_pickles() -> None:
    """T-22, T-24: no archive, pickle or XML reader, and no analytic engine, is imported by the product."""
    barred = {
        "tarfile",
        "zipfile",
        "pickle",
        "marshal",
        "shelve",
        "dill",
        "cloudpickle",
        "xml",
        "lxml",
        "yaml",
    }
    barred |= {"duckdb", "pyarrow", "dask", "distributed", "fsspec"}
    files = [path for room in PRODUCT for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 100
    for path in files:
        assert imports(path) & barred == set(), path
        assert "unpack_archive" not in path.read_text("utf-8"), path


def test_t25_every_package_is_pinned_with_its_hash() -> None:
    """T-25: one version and at least one SHA-256 for each package of the service, and nothing by address or path."""
    text = (ROOT / "requirements" / "run.txt").read_text("utf-8")
    logical = re.sub(r"\\\n", " ", text)
    rows = [row.strip() for row in logical.splitlines() if row.strip() and not row.strip().startswith("#")]
    assert len(rows) > 20
    for row in rows:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+", row), row
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", row), row
    assert "--require-hashes" in (ROOT / "scripts" / "venv").read_text("utf-8")


def test_t31_the_web_has_these_routes_and_none_for_settings(tmp_path: Path) -> None:
    """T-31: a closed list; a route that shows or changes settings, sites, keys or knowledge would stand out."""
    app = create_app(Settings(opened=True, state_dir=str(tmp_path)))
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert {rule for rule in rules if not rule.startswith("/w/")} == {
        *("/", "/health", "/ready", "/metrics", "/openapi.json", "/diagnostics"),
        *("/cds-services", "/cds-services/<service_id>", "/cds-services/<service_id>/feedback"),
        *("/launch", "/launch.html", "/callback", "/.well-known/jwks.json"),
        *("/static/<name>", "/launch-assets/<path:name>"),
    }
    posts = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if (rule.methods or set()) & {"POST", "PUT", "DELETE", "PATCH"}
    }
    assert {rule for rule in posts if not rule.startswith("/w/")} == {
        "/cds-services/<service_id>",
        "/cds-services/<service_id>/feedback",
    }
