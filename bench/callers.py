"""What trust and memory cost a call: without token and database, with the database, with ES384 and RS384 tokens.

All targets run side by side and take turns; what matters is what one adds to another, not a time of one machine.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import jwt
from client import Line
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from payloads import bodies
from servers import PATH, ROOT, free_port

MOMENT = "2026-02-01T12:00:00Z"
ISSUER = "https://ehr.example.org"
TARGETS = ("bare", "database", "ES384", "RS384")
SIGNED = ("ES384", "RS384")


class Signer:
    """Keys of one caller per algorithm and the tokens it sends."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {
            "ES384": ec.generate_private_key(ec.SECP384R1()),
            "RS384": rsa.generate_private_key(65537, 2048),
        }

    def toml(self) -> str:
        """The public keys as the registration file wants them."""
        rows = []
        for alg, key in self.keys.items():
            make = jwt.algorithms.ECAlgorithm if alg == "ES384" else jwt.algorithms.RSAAlgorithm
            members = {**make.to_jwk(key.public_key(), as_dict=True), "kid": alg, "alg": alg, "use": "sig"}
            members.pop("key_ops", None)
            rows.append(
                "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in members.items()) + " }"
            )
        return "[" + ", ".join(rows) + "]"

    def token(self, alg: str, url: str) -> str:
        """A fresh token for one call."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": url, "iat": now, "exp": now + 600, "jti": str(uuid.uuid4())}
        return jwt.encode(claims, self.keys[alg], alg, headers={"kid": alg})


class Target:
    """One running service and how it is called."""

    def __init__(self, name: str, folder: Path, signer: Signer) -> None:
        self.name = name
        self.port = free_port()
        self.signer = signer
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        self.process = subprocess.Popen(
            self._command(folder), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()

    def _command(self, folder: Path) -> list[str]:
        if self.name == "bare":
            granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--loop", "asyncio", "--no-ws"]
            more = ["--blocking-threads", "32", "--port", str(self.port), "--log-level", "error", "--factory"]
            return ["env", f"PYTHONPATH={ROOT}:{ROOT / 'bench'}", *granian, *more, "bare_app:application"]
        serve = [sys.executable, "-m", "smart_app.cli", "serve", "--port", str(self.port), "--as-of", MOMENT]
        if self.name == "database":
            return [*serve, "--open"]
        place = folder / self.name
        place.mkdir()
        file = place / "postcart.toml"
        file.write_text(
            f'public_url = "http://127.0.0.1:{self.port}"\n[[site]]\nname = "bench"\nenvironment = "test"\n'
            f'iss = ["{ISSUER}"]\nkeys = {self.signer.toml()}\nfhir_base = "http://127.0.0.1:9/fhir"\n'
            "rate_per_minute = 100000\n"
        )
        return [*serve, "--config", str(file)]

    def _wait(self) -> None:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{self.name} does not become ready")

    def message(self, body: bytes) -> bytes:
        """The bytes of one POST, with a token where the target wants one."""
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        if self.name in SIGNED:
            head += f"Authorization: Bearer {self.signer.token(self.name, self.url)}\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def stop(self) -> None:
        """Ends the process."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()


def one_after_another(target: Target, charts: list[bytes], calls: int) -> list[float]:
    """Milliseconds of each call over one kept connection."""
    messages = [target.message(charts[number % len(charts)]) for number in range(calls)]
    line = Line(target.port)
    took = [_timed(line, one) for one in messages]
    line.close()
    return took


def together(target: Target, charts: list[bytes], calls: int, connections: int) -> tuple[list[float], float]:
    """Milliseconds of each call and calls per second over several connections at once."""
    shares = [[target.message(charts[n % len(charts)]) for n in range(calls)] for _ in range(connections)]
    took: list[list[float]] = [[] for _ in range(connections)]

    def work(number: int) -> None:
        line = Line(target.port)
        took[number] = [_timed(line, one) for one in shares[number]]
        line.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [ms for one in took for ms in one], connections * calls / (time.perf_counter() - started)


def _timed(line: Line, data: bytes) -> float:
    started = time.perf_counter()
    status, body = line.call(data)
    if status != 200:
        raise SystemExit(f"status {status}: {body[:200]!r}")
    return (time.perf_counter() - started) * 1000


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(
    targets: list[Target], charts: list[bytes], rounds: int, calls: int
) -> dict[str, dict[str, float]]:
    """p50, p95, p99 at one and eight connections, calls per second at eight, and what is added to `bare`."""
    alone: dict[str, list[float]] = {target.name: [] for target in targets}
    medians: dict[str, list[float]] = {target.name: [] for target in targets}
    crowd: dict[str, list[float]] = {target.name: [] for target in targets}
    rates: dict[str, list[float]] = {target.name: [] for target in targets}
    for target in targets:
        one_after_another(target, charts, 30)
    for number in range(rounds):
        for target in targets if number % 2 else reversed(targets):
            took = one_after_another(target, charts, calls)
            alone[target.name] += took
            medians[target.name].append(statistics.median(took))
    for _ in range(rounds):
        for target in targets:
            took, rate = together(target, charts, max(10, calls // 4), 8)
            crowd[target.name] += took
            rates[target.name].append(rate)
    rows = {}
    for name, values in alone.items():
        added = [mine - bare for mine, bare in zip(medians[name], medians["bare"], strict=True)]
        rows[name] = {
            "p50": percentile(values, 0.5),
            "p95": percentile(values, 0.95),
            "p99": percentile(values, 0.99),
            "added_p50": statistics.median(added),
            "p50_at_8": percentile(crowd[name], 0.5),
            "p95_at_8": percentile(crowd[name], 0.95),
            "p99_at_8": percentile(crowd[name], 0.99),
            "per_second_at_8": statistics.median(rates[name]),
        }
    return rows


def main() -> None:
    """Prints the table and writes it to bench/out/callers.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=200, help="resources of a chart")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=80)
    options = parser.parse_args()
    charts = bodies(options.size, 5)
    targets: list[Target] = []
    with tempfile.TemporaryDirectory() as folder:
        signer = Signer()
        try:
            targets += [Target(name, Path(folder), signer) for name in TARGETS]
            rows = measure(targets, charts, options.rounds, options.calls)
        finally:
            for target in targets:
                target.stop()
    out = ROOT / "bench" / "out"
    out.mkdir(exist_ok=True)
    (out / "callers.json").write_text(json.dumps({"size": options.size, "rows": rows}, indent=1))
    names = list(next(iter(rows.values())))
    print(f"N = {options.size}; milliseconds; added_p50: to the call without token and database")
    print(f"{'':10}" + "".join(f"{name:>17}" for name in names))
    for name, row in rows.items():
        print(f"{name:10}" + "".join(f"{row[one]:17.2f}" for one in names))


if __name__ == "__main__":
    main()
