"""A hospital on loopback: the sandbox EHR, and the service with it and a site for synthetic calls registered."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, RSAKey
from standing import POSTCART, Hospital, bare_environment, postcart

from sandbox_ehr.serve import start
from sandbox_ehr.settings import registration_toml


def _toml_of(jwk: dict[str, object]) -> str:
    return "{" + ", ".join(f"{name} = {json.dumps(value)}" for name, value in jwk.items()) + "}"


def _callers(folder: Path) -> tuple[dict[str, Path], str]:
    """Private keys in each form a hospital may hold them, and their public halves as TOML."""
    ec, rsa = ECKey.generate_key("P-384"), RSAKey.generate_key(2048)
    forms = {
        "ec.jwk": json.dumps({**ec.as_dict(private=True), "kid": "ec"}).encode(),
        "ec.pem": ec.as_pem(private=True),
        "rsa.jwk": json.dumps({**rsa.as_dict(private=True), "kid": "rsa"}).encode(),
        "rsa.pem": rsa.as_pem(private=True),
    }
    files = {}
    for name, content in forms.items():
        files[name] = folder / name
        files[name].write_bytes(content)
        files[name].chmod(0o600)
    public = [{**key.as_dict(private=False), "kid": kid} for kid, key in (("ec", ec), ("rsa", rsa))]
    return files, "[" + ", ".join(_toml_of(jwk) for jwk in public) + "]"


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """One for the whole session; tests only read it."""
    folder = tmp_path_factory.mktemp("hospital")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    base = f"http://127.0.0.1:{port}"
    made = postcart("keys", "new", "--dir", str(folder / "keys"), "--at-once")
    assert made.returncode == 0, made.stderr
    files, public = _callers(folder)
    with start(app_base=base) as box, (folder / "log").open("w") as log:
        config = folder / "postcart.toml"
        config.write_text(
            f'public_url = "{base}"\nkey_dir = "keys"\ndeadline_s = 5\n\n'
            + registration_toml(box.root)
            + f'\n[[site]]\nname = "synthetic"\nenvironment = "test"\nregion = "US"\n'
            f'iss = ["https://synthetic.example.org"]\njku = ["{base}/.well-known/jwks.json"]\n'
            f'\n[[site]]\nname = "pasted"\nenvironment = "test"\nregion = "US"\n'
            f'iss = ["https://pasted.example.org"]\naud = ["typed-in-by-hand"]\nkeys = {public}\n',
            "utf-8",
        )
        config.chmod(0o600)
        process = subprocess.Popen(
            [POSTCART, "serve", "--config", str(config), "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=bare_environment(),
        )
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready.startswith("postcart ready"), (folder / "log").read_text("utf-8")[-2000:]
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield Hospital(base, config, box, folder / "log", files)
        finally:
            process.terminate()
            process.wait(timeout=30)
            process.stdout.close()
