"""A small service behind the real edge, to stop, fill and flood it: `/slow` waits, `/endless` computes for ever."""

from __future__ import annotations

import multiprocessing
import sys
import time
from typing import Any

from cds_hooks.outcome import Refusal
from smart_app.edge import Edge
from smart_app.operations.call_guard import CallGuard
from smart_app.operations.drain import Drain, DrainBoard, drain_before_stopping
from smart_app.operations.limits import Budget, SiteShares
from smart_app.operations.metrics import Metrics

THREADS = 8
SHARE = 3
WAIT = 0.15


def application() -> Edge:
    """The service of one worker process."""
    drain = Drain(DrainBoard.opened())
    shares = SiteShares(SHARE)
    guard = CallGuard(0.5)
    guard.start()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        status, body = "200 OK", b"done"
        path = environ["PATH_INFO"]
        if path == "/ready":
            status = "503 SERVICE UNAVAILABLE" if drain.draining else status
        elif path == "/endless":
            while True:
                sum(range(1000))
        elif path.startswith("/site/"):
            try:
                with shares.hold(path):
                    time.sleep(WAIT)
            except Refusal as fault:
                status = f"{fault.status} REFUSED"
        else:
            time.sleep(float(environ["QUERY_STRING"] or 0))
        start_response(status, [("Content-Length", str(len(body)))])
        return [body]

    return Edge(app, Metrics(), budget=Budget(most_calls=THREADS - 2), drain=drain, guard=guard)


def main() -> None:
    """Serves under granian as `postcart serve` does, with draining."""
    from granian import Granian
    from granian.constants import Interfaces, Loops
    from granian.log import LogLevels

    multiprocessing.set_start_method("spawn", force=True)
    board = DrainBoard.create()
    server = Granian(
        "slow_app:application",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        loop=Loops.asyncio,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        log_level=LogLevels.error,
        factory=True,
    )
    drain_before_stopping(server, board)
    try:
        server.serve()
    finally:
        board.remove()


if __name__ == "__main__":
    main()
