"""The walk of `demo --check` sees faults, keeps the cookies that browsers keep, and never leaves this machine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask, Response, redirect, request
from werkzeug.serving import make_server

from sandbox_ehr.serve import start
from smart_app.demo import walk as walking
from smart_app.demo.visitor import VisitFault, Visitor, read_page
from smart_app.demo.walk import walk


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """An app on a free port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    web = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_port}"
    finally:
        web.shutdown()
        web.server_close()
        thread.join()


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    """A fresh browser."""
    made = Visitor()
    yield made
    made.close()


def test_a_service_that_is_down_is_a_fault() -> None:
    """The EHR alone, with nobody to call: the walk ends at the hook."""
    with start(app_base="http://127.0.0.1:9") as box, pytest.raises(VisitFault, match="the EHR complains"):
        list(walk(box.root))


def test_an_ehr_that_is_down_is_a_fault() -> None:
    """Nothing listens: one sentence, no trace."""
    with pytest.raises(VisitFault, match="cannot be reached"):
        list(walk("http://127.0.0.1:9"))


def test_another_category_than_the_storys_is_a_fault() -> None:
    """What story, card and page say has to agree."""
    with pytest.raises(VisitFault, match="the card's category is cd19-positive, not cd19-negative"):
        walking._same("cd19-positive", "cd19-negative", "the card's category")


def test_a_patient_who_is_not_in_the_list_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is looked at, not taken for granted."""
    monkeypatch.setattr(walking, "PATIENT", "nobody")
    with start(app_base="http://127.0.0.1:9") as box, pytest.raises(VisitFault, match="not in the list"):
        list(walk(box.root))


def test_secure_cookies_are_kept_on_loopback_and_sent_back(visitor: Visitor) -> None:
    """As browsers do on loopback, and HTTP libraries do not."""
    app = Flask("cookies")

    @app.get("/")
    def give() -> Response:
        response = redirect("/seen", 303)
        response.set_cookie(
            "__Host-w_1", "kept", secure=True, httponly=True, samesite="None", partitioned=True
        )
        return response  # type: ignore[return-value]

    @app.get("/seen")
    def seen() -> str:
        return request.cookies.get("__Host-w_1", "none")

    with served(app) as root:
        page = visitor.visit(root + "/")
    assert (page.text, page.hops) == ("kept", 1)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://elsewhere.example/", "away from this machine"),
        ("/round", "redirects"),
        ("/none", "answered 404"),
    ],
)
def test_redirects_away_in_a_circle_or_to_nothing_are_faults(
    visitor: Visitor, location: str, words: str
) -> None:
    """T-08: what is followed stays on loopback and ends."""
    app = Flask("redirects")
    app.add_url_rule("/round", "round", lambda: redirect(location))
    with served(app) as root, pytest.raises(VisitFault, match=words):
        visitor.visit(root + "/round")


def test_elements_are_found_by_name_and_attributes() -> None:
    """Void and unclosed elements do not swallow what follows."""
    page = read_page(
        '<p>One <img src="x"> two<p class="card is-info">Three<br>four</p></p><a href="/w">five</a>'
    )
    assert [one.text for one in page.all("p", **{"class": "card"})] == ["Three four"]
    assert page.all("a", href="/w")[0].text == "five"
