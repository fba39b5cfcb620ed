"""From the click in the EHR to what a clinician sees: the painted shell and the drawn chart, less the EHR's own time.

`postcart serve` as it ships, Debian's Chromium, an EHR on loopback that takes 50 ms for each query. The EHR's own time
is what its sign-in and its answers took; a blank page of that EHR in the same browser stands beside for comparison.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import ROOT, free_port

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "launch")]

from chromium import opened_chromium  # noqa: E402
from flask import Response, g, request  # noqa: E402
from launching import chart_of  # noqa: E402
from peer import Peer  # noqa: E402
from playwright.sync_api import Page  # noqa: E402

_PAINTED = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))"
_TARGET_MS = 300


class Chart:
    """When the EHR began and ended to answer queries of the chart."""

    def __init__(self, ehr: Peer) -> None:
        self.first = self.last = 0.0
        ehr.app.before_request(self._begun)
        ehr.app.after_request(self._ended)

    def forget(self) -> None:
        """Before another launch."""
        self.first = self.last = 0.0

    def _begun(self) -> None:
        g.is_query = request.path.startswith("/fhir/") and request.path[6:7].isupper()
        if g.is_query and not self.first:
            self.first = time.perf_counter()

    def _ended(self, response: Response) -> Response:
        if g.is_query:
            self.last = time.perf_counter()
        return response


@contextmanager
def served(folder: Path, ehr: Peer) -> Iterator[None]:
    """The service with this EHR registered, until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ehr.register(url)
    (folder / "postcart.toml").write_text(
        f'public_url = "{url}"\n\n[[site]]\nname = "Bench hospital"\nenvironment = "test"\nregion = "US"\n'
        f'iss = ["{ehr.root}"]\njku = ["{ehr.root}/jwks"]\nfhir_base = "{ehr.base}"\n'
        f'frame_ancestors = ["{ehr.root}"]\n\n[site.smart]\niss = "{ehr.base}"\n'
        f'client_id = "{ehr.on.client_id}"\nauth = "public"\nscopes = "v2"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "smart_app.cli", "serve", "--config", str(folder / "postcart.toml")]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--as-of", "2026-06-01T12:00:00Z"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        ready = process.stdout.readline() if process.stdout is not None else ""
        if not ready.startswith("postcart ready"):
            raise SystemExit("postcart did not start")
        yield
    finally:
        process.terminate()
        process.wait(30)


def one_launch(page: Page, ehr: Peer, chart: Chart) -> dict[str, float]:
    """Milliseconds of our own to the shell and to the chart, and of the EHR."""
    chart.forget()
    page.goto("about:blank")
    launch, busy = ehr.launch_url("pt1"), ehr.busy_s
    began = time.perf_counter()
    page.goto(launch, wait_until="commit")
    page.locator("h1").first.wait_for()
    page.evaluate(_PAINTED)
    shell = time.perf_counter() - began
    signing_in = ehr.busy_s - busy
    page.locator("#answer").wait_for()
    page.evaluate(_PAINTED)
    drawn = time.perf_counter() - began
    reading = chart.last - chart.first
    return {
        "shell": (shell - signing_in) * 1000,
        "chart": (drawn - signing_in - reading) * 1000,
        "ehr": (signing_in + reading) * 1000,
    }


def blank_page(page: Page, ehr: Peer) -> float:
    """Milliseconds to paint a page of the EHR that holds nothing."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(f"{ehr.root}/frame?src=about:blank", wait_until="commit")
    page.locator("iframe").wait_for()
    page.evaluate(_PAINTED)
    return (time.perf_counter() - began) * 1000


def main() -> int:
    """Prints the table and keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    rows: dict[str, list[float]] = {"blank": [], "shell": [], "chart": [], "ehr": []}
    with tempfile.TemporaryDirectory() as folder, Peer(chart_of("pt1"), delay_s=0.05) as ehr:
        chart = Chart(ehr)
        with served(Path(folder), ehr), opened_chromium() as browser:
            for turn in range(runs + 2):
                with browser.new_context() as context:
                    page = context.new_page()
                    found = {"blank": blank_page(page, ehr), **one_launch(page, ehr, chart)}
                if turn > 1:  # the first two warm the service and the browser
                    for name, value in found.items():
                        rows[name].append(value)
    blank = statistics.median(rows["blank"])
    print("\nmilliseconds after the click, without the EHR's own time\n")
    print(f"{'':<34}{'best':>8}{'median':>8}{'p95':>8}{'x blank':>9}")
    words = {
        "blank": "a blank page of the EHR",
        "shell": f"painted shell (target {_TARGET_MS})",
        "chart": "drawn chart",
        "ehr": "the EHR's own time",
    }
    kept = {}
    for name, values in rows.items():
        values.sort()
        kept[name] = {
            "best": values[0], "median": statistics.median(values), "p95": values[int(len(values) * 0.95)]
        }  # fmt: skip
        line = "".join(f"{figure:8.0f}" for figure in kept[name].values())
        print(f"{words[name]:<34}{line}{kept[name]['median'] / blank:9.1f}")
    out = ROOT / "bench" / "out" / "paint.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
