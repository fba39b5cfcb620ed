"""The rooms and their arrows: import contracts hold, modules stay small, faces decide nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("mappings", "ehr", "cds_hooks", "smart_app")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
FACES = [path for path in MODULES if path.relative_to(ROOT).parts[0] in ("cds_hooks", "smart_app")]


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FACES, ids=[str(path.relative_to(ROOT)) for path in FACES])
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 310
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert _lines(node) <= 50, node.name


def _lines(function: ast.FunctionDef) -> int:
    """Lines of a function's own; those of functions inside it, such as routes, are counted on their own."""
    inside = [node for node in function.body if isinstance(node, ast.FunctionDef)]
    own = (function.end_lineno or 0) - function.lineno
    return own - sum((node.end_lineno or 0) - node.lineno for node in inside)


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_no_unfinished_work_and_no_swallowed_faults(path: Path) -> None:
    text = path.read_text("utf-8")
    for mark in ("TODO", "FIXME", "XXX", "NotImplementedError"):
        assert mark not in text.replace("except NotImplementedError", ""), mark
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            bare = node.type is None
            empty = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
            assert not bare, path
            assert not (empty and isinstance(node.type, ast.Name) and node.type.id == "Exception"), path


def test_the_core_never_reads_clock_disk_or_network() -> None:
    loading = ROOT / "mappings" / "loading"
    for path in (ROOT / "mappings").rglob("*.py"):
        if path.is_relative_to(loading):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("now", "utcnow", "today", "urlopen"), f"{path}: {node.attr}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("open", "print", "input"), f"{path}: {node.func.id}"


@pytest.mark.parametrize("path", FACES, ids=[str(path.relative_to(ROOT)) for path in FACES])
def test_faces_make_no_clinical_object(path: Path) -> None:
    """A face may show an evaluation, never build or change one (invariant 2)."""
    made = {
        "Assessment",
        "Evaluation",
        "OptionMatch",
        "AntigenView",
        "AntigenResult",
        "CriterionResult",
    }
    clinical = {"evaluation", "assessment", "match", "view", "result", "facts", "criterion"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in made, f"{path}: {node.func.id}"
            if node.func.id == "replace" and node.args:
                changed = ast.unparse(node.args[0]).rpartition(".")[2]
                assert changed not in clinical, f"{path}: replace({changed})"
