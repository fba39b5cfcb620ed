"""The whole way from an EHR's launch to an evaluated chart, through a strict peer that lists what the app did wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from launching import Browser, Served, chart_of, site_of, wait_ready, workspace_of
from peer import Peer

Serve = Callable[..., Served]
CLIENTS = [("public", "ES384"), ("symmetric", "ES384"), ("asymmetric", "ES384"), ("asymmetric", "RS384")]


def opened(serve: Serve, ehr: Peer, **changes: object) -> tuple[Served, Browser]:
    """Serves postcart for one peer."""
    app = serve(site_of(ehr, **changes))
    ehr.register(app.url)
    return app, Browser()


@pytest.mark.parametrize(("client", "alg"), CLIENTS)
@pytest.mark.parametrize("standalone", [False, True])
@pytest.mark.parametrize("style", ["v1", "v2"])
def test_each_client_kind_each_launch(
    serve: Serve, tmp_path: Path, client: str, alg: str, standalone: bool, style: str
) -> None:
    """Three client kinds, both algorithms, both launches, both scope syntaxes: nothing for the peer to find."""
    secret = tmp_path / "secret"
    with Peer(chart_of("pt1"), client=client, style=style) as ehr:
        secret.write_text(ehr.on.secret + "\n")
        app, browser = opened(serve, ehr, alg=alg, secret_file=secret, scopes=style)
        start = f"{app.url}/launch?iss={ehr.base}" if standalone else ehr.launch_url("pt1")
        workspace = workspace_of(browser.get(start))
        assert wait_ready(browser, workspace).status_code == 200
        answer = browser.get(f"{workspace}/evaluation.json")
        assert answer.status_code == 200, answer.text
        assert answer.json()["assessment"]["category"] == "cd19-negative"
        page = browser.get(workspace)
        assert page.status_code == 200
        assert "ALPHAPERSON" in page.text.upper()
        assert ehr.findings == []
