"""Changes every sample request and invented chart in many small ways and looks at what the service then answers.

    python tests/fuzz/mutate_requests.py --count 100000 --seed 1

Drives the whole app in process. Faults: an answer of 500 or above, a call of more than a second of CPU, an answer that
is no card list, a changed answer where the meaning stayed, and a *flip*: what was taken away or spoilt moved the
category with nothing to show for it (`visible_reason`), or made a chart fall silent that was not, or made an answer
of what was unknown. A case is repeated by its number: `--seed 1 --only 4711`. R-11, H-08, H-09, H-11, H-56.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from mutations import MUTATIONS, Done, Effect, spoil_bytes  # noqa: E402

from cds_hooks.listing import SERVICE_HOOKS  # noqa: E402
from mappings.evaluation import Evaluation  # noqa: E402
from mappings.loading import load_knowledge  # noqa: E402
from mappings.reading.decode import Decoded  # noqa: E402
from smart_app.app import create_app  # noqa: E402
from smart_app.selftest import cases, evaluator_of  # noqa: E402
from smart_app.settings import Settings  # noqa: E402

SILENT = frozenset({"no-lymphoid-malignancy", "no-cd19-car-t", "no-relapse", "deceased"})
OPEN = frozenset({"cd19-unknown", "insufficient-data"})
SLOW_SECONDS = 1.0
_SAMPLES_AT = datetime(2025, 12, 1, 12, tzinfo=UTC)
_ORDERS_AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sample:
    """A request with the moment it is judged at."""

    name: str
    request: dict[str, Any]
    at: datetime

    @property
    def path(self) -> str:
        """Where it is posted."""
        hook = self.request["hook"]
        return next(f"/cds-services/{service}" for service, hooks in SERVICE_HOOKS.items() if hook in hooks)


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer with what it rests on; `evaluation` is None where the call was refused."""

    status: int
    body: bytes
    seconds: float
    evaluation: Evaluation | None

    @property
    def category(self) -> str:
        return self.evaluation.assessment.category.value if self.evaluation is not None else ""

    @property
    def cards(self) -> int:
        return len(json.loads(self.body)["cards"]) if self.status == 200 else 0


@dataclass(slots=True)
class Tally:
    """What came of a run."""

    calls: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    moves: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    findings: list[dict[str, Any]] = field(default_factory=list)


class Driver:
    """The app in process; an answer comes with the evaluation that it rests on."""

    def __init__(self, state: Path) -> None:
        really = evaluator_of(load_knowledge(), ("US", "EU"))
        self._at: datetime | None = None
        self._last: Evaluation | None = None

        def evaluate(chart: Decoded, patient_id: str, as_of: datetime) -> Evaluation:
            self._last = really(chart, patient_id, self._at or as_of)
            return self._last

        self.app = create_app(Settings(opened=True, state_dir=str(state)), evaluate=evaluate)

    def ask(self, path: str, body: bytes, at: datetime) -> Seen:
        """One call; counted in seconds of this process's CPU time, so that a busy machine accuses nobody."""
        self._at, self._last = at, None
        got: list[str] = []
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

        def start(status: str, headers: Any, fault: Any = None) -> Any:
            got[:] = [status]
            return lambda _: None

        begun = time.thread_time()
        parts = self.app.wsgi_app(environ, start)
        answer = b"".join(parts)
        close = getattr(parts, "close", None)
        if close is not None:
            close()
        status = int(got[0].split(" ")[0])
        return Seen(status, answer, time.thread_time() - begun, self._last if status == 200 else None)

    def close(self) -> None:
        self.app.extensions["postcart"].parts.close()


def samples() -> list[Sample]:
    """All sample requests, invented charts and self-test cases."""
    found = []
    for path in sorted((ROOT / "tests" / "conformance" / "requests").glob("*.json")):
        request = json.loads(path.read_text("utf-8"))
        if request.pop("_expect", {}).get("status", 200) != 200:
            continue
        request.pop("_service", None)
        at = _ORDERS_AT if path.name.startswith("order-") else _SAMPLES_AT
        found.append(Sample(path.stem, request, at))
    for path in sorted((ROOT / "tests" / "vignettes").glob("*/request.json")):
        expected = json.loads((path.parent / "expected.json").read_text("utf-8"))
        at = datetime.fromisoformat(expected["now"].replace("Z", "+00:00"))
        found.append(Sample(path.parent.name, json.loads(path.read_text("utf-8")), at))
    found += [Sample(f"selftest-{case.name}", json.loads(case.chart), case.as_of) for case in cases()]
    return found


def as_bytes(request: dict[str, Any]) -> bytes:
    """The request as JSON; a lone surrogate stays an escape."""
    return json.dumps(request, ensure_ascii=True, allow_nan=True).encode()


# ---- what may change


def reasons(made: Evaluation) -> Counter[tuple[str, ...]]:
    """Everything in an evaluation that shows a person what was not read, not seen, doubted or contradicted."""
    assessment = made.assessment
    rows: list[tuple[str, ...]] = []
    for name in ("conflicts", "set_aside", "unread", "remarks"):
        rows += [(name, remark.about, remark.reason) for remark in getattr(assessment, name)]
    rows += [("missing", one.code, one.what) for one in assessment.missing]
    rows += [("seen", one.type, one.state, one.reason) for one in made.facts.seen if one.state != "complete"]
    return Counter(rows)


def visible_reason(intact: Evaluation, changed: Evaluation) -> bool:
    """Whether the changed chart's evaluation shows something that the intact one's did not."""
    return bool(reasons(changed) - reasons(intact))


def faults_of(intact: Seen, changed: Seen, done: Iterable[Done]) -> list[str]:
    """What is wrong with the answer to a changed request."""
    steps = list(done)
    found = []
    if changed.status >= 500:
        found.append(f"status {changed.status}")
    if changed.seconds > SLOW_SECONDS:
        found.append(f"{changed.seconds:.1f} s of CPU")
    if changed.status == 200 and not isinstance(json.loads(changed.body).get("cards"), list):
        found.append("no card list")
    if any(step.effect is Effect.ANY for step in steps) or intact.evaluation is None:
        return found
    if all(step.effect is Effect.SAME for step in steps):
        if (changed.status, changed.category, changed.cards) != (
            intact.status,
            intact.category,
            intact.cards,
        ):
            found.append(f"same meaning: {_move(intact, changed)}")
        return found
    if changed.evaluation is not None and changed.category != intact.category:
        found += _flips(intact, changed, steps)
    return found


def _flips(intact: Seen, changed: Seen, steps: list[Done]) -> list[str]:
    assert intact.evaluation is not None
    assert changed.evaluation is not None
    if not visible_reason(intact.evaluation, changed.evaluation):
        return [f"flip without a reason: {_move(intact, changed)}"]
    hushed = changed.category in SILENT and intact.category not in SILENT
    if hushed and not any(step.silences for step in steps):
        return [f"fell silent: {_move(intact, changed)}"]
    return []


def _move(intact: Seen, changed: Seen) -> str:
    after = changed.category or f"status {changed.status}"
    return f"{intact.category} ({intact.cards}) -> {after} ({changed.cards})"


# ---- the run


class Fuzz:
    """All samples with their intact answers, and the cases made of them."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.samples = samples()
        self._intact = {one.name: driver.ask(one.path, as_bytes(one.request), one.at) for one in self.samples}

    def intact(self) -> dict[str, Seen]:
        """The answer to every sample as it is."""
        return self._intact

    def case(self, seed: int, number: int) -> tuple[Sample, list[Done], bytes]:
        """The changed request of a number; the same for the same seed and samples."""
        rng = random.Random(f"{seed}:{number}")  # noqa: S311  repeatable, not secret
        sample = rng.choice(self.samples)
        request = copy.deepcopy(sample.request)
        steps: list[Done] = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            step = rng.choice(MUTATIONS)(rng, request)
            if step is not None:
                steps.append(step)
        body = as_bytes(request)
        if rng.random() < 0.1:
            body, how = spoil_bytes(rng, body)
            steps.append(Done("bytes", how, Effect.ANY))
        return sample, steps, body

    def run(self, seed: int, number: int, tally: Tally) -> list[str]:
        """One case; its faults are added to the tally."""
        sample, steps, body = self.case(seed, number)
        seen = self.driver.ask(sample.path, body, sample.at)
        intact = self._intact[sample.name]
        found = faults_of(intact, seen, steps)
        tally.calls += 1
        tally.statuses[seen.status] += 1
        tally.slowest = max(tally.slowest, seen.seconds)
        effects = {step.effect for step in steps}
        effect = next((one for one in (Effect.ANY, Effect.REMOVES) if one in effects), Effect.SAME)
        tally.effects[effect.value] += 1
        if effect is Effect.REMOVES and seen.category and seen.category != intact.category:
            tally.moves[f"{intact.category} -> {seen.category}"] += 1
        if found:
            how = [f"{step.name} {step.where}" for step in steps]
            tally.findings.append({"case": number, "sample": sample.name, "steps": how, "faults": found})
        return found


def _words(tally: Tally) -> str:
    statuses, effects = dict(sorted(tally.statuses.items())), dict(tally.effects)
    return f"findings {len(tally.findings)}, slowest {tally.slowest:.3f} s of CPU, {statuses}, {effects}"


def main() -> int:
    """Runs from the shell; 0 where nothing was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="one case: its faults, steps and request")
    parser.add_argument("--out", type=Path, help="where findings go, one JSON line each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver(Path(folder))
        with contextlib.redirect_stderr(io.StringIO()):
            fuzz, tally = Fuzz(driver), Tally()
        if options.only is not None:
            found = fuzz.run(options.seed, options.only, tally)
            sample, steps, body = fuzz.case(options.seed, options.only)
            print(
                json.dumps(
                    {"sample": sample.name, "steps": [str(one) for one in steps], "faults": found}, indent=1
                )
            )
            print(body.decode("latin-1"))
        begun = time.monotonic()
        numbers = range(options.first, options.first + options.count) if options.only is None else ()
        for number in numbers:
            with contextlib.redirect_stderr(io.StringIO()):  # the log of a call is not what is tested here
                found = fuzz.run(options.seed, number, tally)
            if found and options.out:
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(tally.findings[-1]) + "\n")
            if number % 1000 == 999:
                so_far = (
                    f"{number + 1} calls, {time.monotonic() - begun:.0f} s, {len(tally.findings)} findings"
                )
                print(so_far, file=sys.stderr, flush=True)
        driver.close()
    print(f"calls {tally.calls}, {_words(tally)}")
    for move, many in tally.moves.most_common():
        print(f"  {many:6} {move}")
    for one in tally.findings[:40]:
        print(json.dumps(one))
    return 1 if tally.findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
