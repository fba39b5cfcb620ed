"""Starts worker processes of `child.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent


def start_child(work: str, url: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    """A child that has opened the store when this returns."""
    child = subprocess.Popen(
        [sys.executable, str(_HERE / "child.py"), work, url, str(folder), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{_HERE}{os.pathsep}{_HERE.parents[1]}"},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    return child
