"""A real PostgreSQL from Debian's binaries, in a folder of its own, reached by a socket in that folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql/15/bin")
PORT = 5432
"""Names the socket only; the server listens on no network address, so servers of other folders do not meet."""


def why_not() -> str:
    """Empty, or in words why no server can be started here."""
    if not (BINARIES / "initdb").exists():
        return f"PostgreSQL is not installed: there is no {BINARIES}/initdb"
    if os.getuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL refuses to run as root and there is no user postgres"
        if shutil.which("runuser") is None:
            return "PostgreSQL refuses to run as root and there is no runuser to change the user"
    return ""


class Server:
    """One server. `start`, `stop` and `halt` may be called in any order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        self._run(
            "initdb", "-D", str(self.data), "-A", "trust", "-U", "postcart", "-E", "UTF8", "--no-sync", "-N"
        )

    def _run(self, program: str, *words: str) -> None:
        prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        done = subprocess.run(
            [*prefix, str(BINARIES / program), *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}"

    def start(self) -> None:
        """Starts and waits until connections are taken."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c port={PORT}"
        options += " -c max_connections=60 -c log_min_messages=fatal"
        # a server that crashes loses nothing the operating system has; only a crash of the machine would
        options += " -c fsync=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.data), "-o", options, "-l", log, "-w", "-t", "30", "start")

    def stop(self, how: str = "fast") -> None:
        """Stops: `fast` ends all connections in order, `immediate` is a crash."""
        self._run("pg_ctl", "-D", str(self.data), "-m", how, "-w", "-t", "30", "stop")

    def pids(self) -> list[int]:
        """The main process and its children now."""
        main = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    def signal(self, number: int) -> None:
        """Sends a signal to every process of this server."""
        for pid in self.pids():
            os.kill(pid, number)

    def url(self, database: str = "postgres") -> str:
        """The address of a database of this server."""
        return f"postgresql://postcart@/{database}?host={self.folder}&port={PORT}"

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Runs one statement as an administrator would."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def wait_until(check: object, seconds: float = 10.0) -> float:
    """Seconds until `check()` was true; fails the test where it never is."""
    assert callable(check)
    begun = time.monotonic()
    while not check():
        assert time.monotonic() - begun < seconds, "it never came"
        time.sleep(0.02)
    return time.monotonic() - begun
