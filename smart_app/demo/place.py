"""Where one demo lives: a folder that goes with it, two free ports that stay its own, and the registration of the EHR."""

from __future__ import annotations

import errno
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

HOST = "127.0.0.1"
CLIENT_ID = "postcart-keys"
_DEADLINE_S = 5
"""A laptop under load is slower than a server room; the EHR of the demo waits eight seconds."""


class HeldPort:
    """A free port that nobody else is given until `let_go`; a server of ours may listen on it meanwhile.

    Raises OSError where the port asked for is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # both this and the server's socket say so, which the system takes as leave to share while nobody listens
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
        except OSError:
            self._socket.close()
            raise
        self.number: int = self._socket.getsockname()[1]
        self.address = f"http://{HOST}:{self.number}"

    def let_go(self) -> None:
        """Leaves the port to whoever listens on it."""
        self._socket.close()

    def __enter__(self) -> HeldPort:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()


@dataclass(frozen=True, slots=True)
class Place:
    """The addresses and the folder of one demo. `service` is empty where the EHR runs alone."""

    folder: Path
    ehr: str
    service: str

    @property
    def config(self) -> Path:
        """The registration file of the service."""
        return self.folder / "postcart.toml"

    def furnish(self, environment: Mapping[str, str] | None = None) -> None:
        """Writes the registration file and makes the service's own keys; raises OSError."""
        # in a process of its own, which gives the memory of the cryptography back
        making = ["-m", "smart_app.cli", "keys", "new", "--alg", "ES384", "--at-once"]
        done = subprocess.run(  # noqa: S603  our own interpreter and our own command
            [sys.executable, *making, "--dir", str(self.folder / "keys")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env=environment,
        )
        if done.returncode:
            raise OSError(errno.EIO, "no keys could be made")
        self.config.write_text(registration(self.ehr, self.service, self.folder), "utf-8")
        self.config.chmod(0o600)

    def clear(self) -> None:
        """Removes the folder with everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def new_folder() -> Path:
    """A folder that only this account may open."""
    return Path(tempfile.mkdtemp(prefix="postcart-demo-"))


def registration(ehr: str, service: str, folder: Path) -> str:
    """The registration file: one test site, whose calls are signed and whose app signs with its own keys."""
    rows = [
        f"public_url = {_quoted(service)}",
        f"database_url = {_quoted(f'sqlite:///{folder}/postcart.db')}",
        f"key_dir = {_quoted(str(folder / 'keys'))}",
        f"deadline_s = {_DEADLINE_S}",
        "",
        "[[site]]",
        'name = "sandbox"',
        'environment = "test"',
        f"iss = [{_quoted(ehr)}]",
        f"jku = [{_quoted(f'{ehr}/.well-known/jwks.json')}]",
        f"fhir_base = {_quoted(f'{ehr}/fhir')}",
        f"auth_hosts = [{_quoted(ehr.partition('://')[2])}]",
        'region = "US"',
        f"frame_ancestors = [{_quoted(ehr)}]",
        "",
        "[site.smart]",
        f"iss = {_quoted(f'{ehr}/fhir')}",
        f"client_id = {_quoted(CLIENT_ID)}",
        'auth = "asymmetric"',
        'alg = "ES384"',
        'scopes = "v2"',
    ]
    return "\n".join(rows) + "\n"


def _quoted(text: str) -> str:
    # a JSON string of what stands here is a TOML basic string, too
    return json.dumps(text)
