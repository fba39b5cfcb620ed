"""Ratios of the product to the floors, paired in one run: absolute times of one machine say nothing about another."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client import Line, message, throughput, timed
from payloads import KINDS, SEEDS, bodies
from servers import FLOORS, PATH, ROOT, Server, start
from validation import validated

OUT = ROOT / "bench" / "out"
CALLS = {20: 200, 200: 100, 2_000: 20, 20_000: 3}
SEEDS_OF = {20_000: 3}
TARGETS = ("ours", *FLOORS)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def compare(servers: dict[str, Server], size: int, rounds: int) -> dict[str, Any]:
    """p50 and p95 of each target and the ratios of `ours` to each floor, formed round by round."""
    messages = [message(PATH, body) for body in bodies(size, SEEDS_OF.get(size, SEEDS))]
    lines = {name: Line(server.port) for name, server in servers.items()}
    for line in lines.values():
        timed(line, messages, len(messages))
    took: dict[str, list[float]] = {name: [] for name in servers}
    medians: dict[str, list[float]] = {name: [] for name in servers}
    calls = CALLS[size]
    for number in range(rounds):
        for name, line in lines.items():
            one = timed(line, messages, calls, number * calls)
            took[name] += one
            medians[name].append(statistics.median(one))
    for line in lines.values():
        line.close()
    found: dict[str, Any] = {
        "resources": size,
        "bytes": len(messages[0]),
        "calls": calls * rounds,
        "targets": {},
    }
    for name, values in took.items():
        found["targets"][name] = {
            "p50_ms": round(percentile(values, 0.5), 3),
            "p95_ms": round(percentile(values, 0.95), 3),
        }
    by_kind: dict[str, list[float]] = {}
    for number, value in enumerate(took["ours"]):
        by_kind.setdefault(KINDS[number % len(messages) % len(KINDS)], []).append(value)
    found["ours_p50_ms_by_kind"] = {
        kind: round(statistics.median(values), 2) for kind, values in by_kind.items()
    }
    for floor in FLOORS:
        ratios = [ours / other for ours, other in zip(medians["ours"], medians[floor], strict=True)]
        found[f"ours/{floor}"] = [
            round(value, 2) for value in (statistics.median(ratios), min(ratios), max(ratios))
        ]
    return found


def memo(size: int = 200) -> dict[str, float]:
    """First calls of a fresh process, each with a chart it has not seen, beside the same charts once warm."""
    server = start("ours")
    try:
        wait_ready(server)
        line = Line(server.port)
        messages = [message(PATH, body) for body in bodies(size)]
        cold = timed(line, messages, len(messages))
        for _ in range(3):
            timed(line, messages, len(messages))
        warm = timed(line, messages, len(messages) * 3)
        line.close()
    finally:
        server.stop()
    return {
        "cold_first_ms": round(cold[0], 2),
        "cold_p50_ms": round(statistics.median(cold), 2),
        "warm_p50_ms": round(statistics.median(warm), 2),
    }


def wait_ready(server: Server) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/ready") as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("ours is not ready")


def collections(server: Server, calls: int = 1000) -> dict[str, int]:
    """Full garbage collections that fell inside calls, over a thousand calls of 200 resources; exact counts."""
    line = Line(server.port)
    timed(line, [message(PATH, body) for body in bodies(200)], calls)
    line.close()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        text = answer.read().decode()
    rows = dict(line.rsplit(" ", 1) for line in text.splitlines())
    return {
        "calls": calls,
        "inside_calls": int(rows["postcart_full_collections_inside_calls_total"]),
        "between_calls": int(rows["postcart_full_collections_between_calls_total"]),
    }


def shell_start(runs: int = 7) -> dict[str, float]:
    """Wall time of `postcart evaluate` on a small chart from a cold process, and of an empty interpreter beside it."""
    sample = str(ROOT / "samples" / "cd19-negative-dlbcl.json")
    evaluate = [
        sys.executable,
        "-m",
        "smart_app.cli",
        "evaluate",
        sample,
        "--as-of",
        "2025-12-01",
        "--format",
        "json",
    ]
    times: dict[str, list[float]] = {"evaluate": [], "python": []}
    for _ in range(runs):
        for name, command in (("evaluate", evaluate), ("python", [sys.executable, "-c", "pass"])):
            started = time.perf_counter()
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            times[name].append((time.perf_counter() - started) * 1000)
    return {f"{name}_ms": round(statistics.median(values), 1) for name, values in times.items()}


def throughputs(servers: dict[str, Server]) -> dict[str, float]:
    """Calls per second at eight connections, 200 resources, in three turns."""
    messages = [message(PATH, body) for body in bodies(200)]
    rates: dict[str, list[float]] = {"ours": [], "floor_own": []}
    for _ in range(3):
        for name, values in rates.items():
            values.append(throughput(servers[name].port, messages, 8, 2.0))
    found = {f"{name}_per_s": round(statistics.median(values), 1) for name, values in rates.items()}
    pairs = zip(rates["ours"], rates["floor_own"], strict=True)
    found["ours/floor_own"] = round(statistics.median(ours / floor for ours, floor in pairs), 2)
    return found


def table(found: dict[str, Any]) -> str:
    rows = ["resources   ours p50/p95 ms      ours/floor_own     ours/floor_typed   ours/floor_orjson"]
    for row in found["sizes"]:
        ours = row["targets"]["ours"]
        ratios = [row[f"ours/{floor}"] for floor in ("floor_own", "floor_typed", "floor_orjson")]
        words = "  ".join(f"{middle:5.2f} ({low:.2f}-{high:.2f})".ljust(17) for middle, low, high in ratios)
        rows.append(f"{row['resources']:>9}   {ours['p50_ms']:>8.2f}/{ours['p95_ms']:<9.2f}  {words}")
    for name in (
        "growth_20000_over_2000",
        "memo",
        "collections",
        "validation",
        "shell",
        "throughput_c8_n200",
        "resident_mb",
    ):
        if name in found:
            rows.append(f"{name}: {json.dumps(found[name])}")
    return "\n".join(rows)


def main() -> int:
    """Runs the comparison, prints the table, writes bench/out/latest.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="*", default=sorted(CALLS), choices=sorted(CALLS))
    options = parser.parse_args()
    found: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": options.rounds,
    }
    found["shell"] = shell_start()
    found["memo"] = memo()
    found["validation"] = validated()
    servers: dict[str, Server] = {}
    try:
        for name in TARGETS:
            servers[name] = start(name)
        wait_ready(servers["ours"])
        found["sizes"] = [compare(servers, size, options.rounds) for size in options.sizes]
        found["throughput_c8_n200"] = throughputs(servers)
        found["collections"] = collections(servers["ours"])
        found["resident_mb"] = {name: server.resident_mb() for name, server in servers.items()}
    finally:
        for server in servers.values():
            server.stop()
    p50 = {row["resources"]: row["targets"]["ours"]["p50_ms"] for row in found["sizes"]}
    if {2_000, 20_000} <= set(p50):
        found["growth_20000_over_2000"] = round(p50[20_000] / p50[2_000], 2)
    OUT.mkdir(parents=True, exist_ok=True)
    Path(OUT / "latest.json").write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
