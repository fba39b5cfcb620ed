"""Failure matrix, rows "Knowledge", "Worker", "Overload", "Rate limit", "SIGTERM", and faults nobody foresaw."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from matrix_stage import RELAPSE, WHOLE, Stage, category
from postgresql import wait_until
from servers import free_port, started

import smart_app.app as app_module
from mappings.evaluation import Evaluation
from mappings.loading import KnowledgeError, load_knowledge, packaged_folder
from mappings.reading.decode import Decoded
from smart_app.operations.drain import DrainBoard
from smart_app.selftest import evaluator_of
from smart_app.settings import SettingsError

Staging = Callable[..., Stage]
_CRASH_LOOP = 6
"""Seconds after which the server takes one more dead worker for a new fault, not for a crash loop that ends it."""
REALLY = evaluator_of(load_knowledge(), ("US",))


def answered(made: Stage) -> Any:
    return made.call(made.request(WHOLE, server=""))


# ---- knowledge


def test_knowledge_broken_at_start_does_not_start(
    stage: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row Knowledge broken at start: does not start and names the file."""
    folder = tmp_path / "knowledge"
    shutil.copytree(packaged_folder(), folder)
    (folder / "concepts.json").write_text('[{"id": ', encoding="utf-8")
    monkeypatch.setattr(app_module, "load_knowledge", lambda: load_knowledge(folder))
    with pytest.raises(KnowledgeError, match=r"concepts\.json"):
        stage()


def _overlay(folder: Path, text: str = '{"id": "north-1", "policy": {"window_days": 21}}') -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "overlay.json").write_text(text, encoding="utf-8")
    return folder


def test_overlay_broken_at_start_does_not_start(stage: Staging, tmp_path: Path) -> None:
    """Row Knowledge broken at start, for a site's own part of it."""
    folder = _overlay(tmp_path / "own", '{"id": "north-1", "policy": {"windw_days": 21}}')
    with pytest.raises(SettingsError, match="windw_days"):
        stage(site=(f'overlay = "{folder}"',))


def test_overlay_broken_at_reload_keeps_the_last_good_one(stage: Staging, tmp_path: Path) -> None:
    """Row Knowledge, overlay broken at reload: cards rest on the last good one, `/ready` says so, until it is mended."""
    folder = _overlay(tmp_path / "own")
    made = stage(site=(f'overlay = "{folder}"',))
    assert answered(made).status_code == 200
    before = made.running.parts.judges.of(made.running.parts.config.sites[0]).knowledge
    assert before.overlay == "north-1"
    _overlay(folder, '{"id": "north-2", "policy": {"windw_days": 1}}')
    made.write(site=(f'overlay = "{folder}"', "rate_per_minute = 601"))

    def kept() -> bool:
        assert answered(made).status_code == 200
        return "windw_days" in json.dumps(made.ready()[1])

    wait_until(kept)
    assert made.running.parts.judges.of(made.running.parts.config.sites[0]).knowledge is before
    _overlay(folder, '{"id": "north-3", "policy": {"window_days": 22}}')
    made.write(site=(f'overlay = "{folder}"', "rate_per_minute = 602"))
    wait_until(lambda: answered(made).status_code == 200 and "windw_days" not in json.dumps(made.ready()[1]))
    site = made.running.parts.config.sites[0]
    assert made.running.parts.judges.of(site).knowledge.overlay == "north-3"


def test_h70_a_failed_selftest_answers_nothing(stage: Staging) -> None:
    """Row Knowledge, self-test fails: 503 and not ready, on the service and on feedback."""

    def wrong(chart: Decoded, patient_id: str, as_of: datetime) -> Evaluation:
        return REALLY(Decoded(request=chart.request), patient_id, as_of)

    made = stage(evaluate=wrong)
    refused = answered(made)
    assert refused.status_code == 503
    assert refused.get_json()["resourceType"] == "OperationOutcome"
    assert made.feedback("card").status_code == 503
    code, told = made.ready()
    assert code == 503
    assert told["parts"]["selftest"]["state"] == "failed"


def test_h56_an_unforeseen_fault_is_500_and_never_an_empty_card_list(stage: Staging) -> None:
    """H-56: an exception in the core is a 500 with an OperationOutcome, counted, without a word of the chart."""
    broken = threading.Event()

    def evaluate(chart: Decoded, patient_id: str, as_of: datetime) -> Evaluation:
        if broken.is_set():
            raise KeyError("Zzsentinel of the chart")
        return REALLY(chart, patient_id, as_of)

    made = stage(evaluate=evaluate)
    broken.set()
    answer = answered(made)
    assert answer.status_code == 500
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    assert "Zzsentinel" not in answer.get_data(as_text=True)
    assert 'postcart_faults_total{kind="unforeseen"} 1' in made.figures()
    broken.clear()
    assert category(answered(made)) == "cd19-negative"


# ---- load


def test_t26_beyond_the_budget_503_comes_at_once(stage: Staging) -> None:
    """Row Overload: 503 with Retry-After while the others are still being answered; then all is well again."""
    gate, inside = threading.Event(), threading.Semaphore(0)
    slow = threading.Event()

    def evaluate(chart: Decoded, patient_id: str, as_of: datetime) -> Evaluation:
        if slow.is_set():
            inside.release()
            assert gate.wait(10)
        return REALLY(chart, patient_id, as_of)

    made = stage(evaluate=evaluate, threads=6)  # a budget of two
    slow.set()
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(answered, made) for _ in range(2)]
        assert inside.acquire(timeout=10)
        assert inside.acquire(timeout=10)
        begun = time.monotonic()
        shed = answered(made)
        assert time.monotonic() - begun < 0.5
        gate.set()
        assert [one.result().status_code for one in held] == [200, 200]
    assert shed.status_code == 503
    assert int(shed.headers["Retry-After"]) >= 1
    assert shed.get_json(force=True)["resourceType"] == "OperationOutcome"
    slow.clear()
    assert answered(made).status_code == 200


def test_t35_a_site_over_its_rate(stage: Staging) -> None:
    """Row Rate limit: 429 with Retry-After."""
    made = stage(site=("rate_per_minute = 3",))
    assert [answered(made).status_code for _ in range(3)] == [200] * 3
    limited = answered(made)
    assert limited.status_code == 429
    assert 1 <= int(limited.headers["Retry-After"]) <= 20


def test_sigterm_lets_the_running_call_end_and_refuses_new_ones(
    stage: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row SIGTERM: not ready first, new calls are refused, the running one is answered in full."""
    gate, inside, slow = threading.Event(), threading.Event(), threading.Event()

    def evaluate(chart: Decoded, patient_id: str, as_of: datetime) -> Evaluation:
        if slow.is_set():
            inside.set()
            assert gate.wait(10)
        return REALLY(chart, patient_id, as_of)

    monkeypatch.delenv("POSTCART_DRAIN_BOARD", raising=False)
    board = DrainBoard.create()
    try:
        made = stage(evaluate=evaluate)
        slow.set()
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(answered, made)
            assert inside.wait(10)
            board.begin()
            assert made.ready()[0] == 503
            refused = answered(made)
            assert refused.status_code == 503
            assert refused.headers["Retry-After"]
            gate.set()
            assert category(held.result()) == "cd19-negative"
    finally:
        board.remove()


# ---- a worker killed, under the server that ships


@pytest.fixture
def shipped(stage: Staging) -> Iterator[tuple[Stage, Any, str]]:
    """`postcart serve --config`, with a stage that only signs and keeps the registration file."""
    made = stage()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    made.file.write_text(
        made.file.read_text("utf-8").replace('"https://postcart.example.org"', f'"{url}"'), encoding="utf-8"
    )
    command = [
        *(sys.executable, "-m", "smart_app.cli", "serve", "--config", str(made.file)),
        *("--port", str(port), "--as-of", "2026-06-01T12:00:00Z"),
    ]
    with started("granian", command, port) as server:
        yield made, server, url


def test_worker_killed_the_next_call_is_served_and_nothing_acknowledged_is_lost(
    shipped: tuple[Stage, Any, str],
) -> None:
    """Row Worker killed: the next calls are served by a new process; every acknowledged feedback row is there."""
    made, server, url = shipped
    acknowledged: list[str] = []

    def post(path: str, content: bytes) -> int:
        token = made.token(aud=url + path)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            return requests.post(url + path, data=content, headers=headers, timeout=20).status_code
        except requests.ConnectionError:
            return 0

    def hook() -> int:
        return post(RELAPSE, made.request(WHOLE, server=""))

    def save(card: str) -> None:
        row = {"card": card, "outcome": "accepted", "outcomeTimestamp": "2026-05-01T12:00:00Z"}
        row |= {"acceptedSuggestions": [{"id": "s"}]}  # type: ignore[dict-item]
        if post(f"{RELAPSE}/feedback", json.dumps({"feedback": [row]}).encode()) == 200:
            acknowledged.append(card)

    assert hook() == 200
    for turn in range(2):
        if turn:
            time.sleep(_CRASH_LOOP)
        for number in range(5):
            save(f"card-{turn}-{number}")
        for worker in [pid for pid in server.workers() if _is_worker(pid)]:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: hook() == 200, 30)
    save("afterwards")
    assert len(acknowledged) == 11
    connection = sqlite3.connect(made.folder / "postcart.db")
    try:
        assert {row[0] for row in connection.execute("SELECT card FROM feedback")} == set(acknowledged)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()


def _is_worker(pid: int) -> bool:
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return b"spawn_main" in command
