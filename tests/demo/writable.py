"""A FHIR server that takes transactions, small and strict: references must be there, and can be made awkward."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

Resource = dict[str, Any]


@dataclass
class Writable:
    """What it holds by `Type/id`, what was sent, and how it is awkward."""

    base: str = ""
    held: dict[str, Resource] = field(default_factory=dict)
    transactions: list[int] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    ignores_tag: bool = False
    refuses: str = ""
    searched: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def apply(self, bundle: Resource) -> list[Resource]:
        """All entries or none; ValueError for a reference to nothing."""
        after = dict(self.held)
        rows = []
        for entry in bundle["entry"]:
            path = entry["request"]["url"]
            if entry["request"]["method"] == "DELETE":
                after.pop(path, None)
                rows.append({"response": {"status": "204 No Content"}})
                continue
            assert path == f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
            rows.append({"response": {"status": "200 OK" if path in after else "201 Created"}})
            after[path] = entry["resource"]
        for one in after.values():
            for pointed in references(one):
                if not pointed.startswith("#") and pointed not in after:
                    raise ValueError(f"{pointed} is pointed at and not there")
        self.held = after
        self.transactions.append(len(rows))
        return rows

    def find(self, kind: str) -> list[Resource]:
        """A search by patient, code or tag."""
        asked = {**request.args, **request.form}
        self.searched.append((kind, asked))
        found = [one for one in self.held.values() if one["resourceType"] == kind]
        if "_tag" in asked and not self.ignores_tag:
            found = [one for one in found if asked["_tag"] in tags(one)]
        if patient := asked.get("patient"):
            found = [one for one in found if one["subject"]["reference"] == f"Patient/{patient}"]
        if code := asked.get("code"):
            found = [one for one in found if codes(one) & set(code.split(","))]
        return found


def references(value: Any) -> Iterator[str]:
    """Every reference in a resource."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "reference" and isinstance(part, str):
                yield part
            else:
                yield from references(part)
    if isinstance(value, list):
        for part in value:
            yield from references(part)


def tags(one: Resource) -> set[str]:
    """The tags of a resource as a search writes them."""
    return {f"{tag['system']}|{tag['code']}" for tag in one.get("meta", {}).get("tag", [])}


def codes(one: Resource) -> set[str]:
    """The codes of a resource without their systems."""
    concept = one.get("code") or one.get("medicationCodeableConcept") or {}
    return {coding.get("code", "") for coding in concept.get("coding", [])}


def _app(server: Writable) -> Flask:
    app = Flask("writable")

    def outcome(status: int, words: str) -> tuple[Response, int]:
        issue = {"severity": "error", "code": "processing", "diagnostics": words}
        return jsonify(resourceType="OperationOutcome", issue=[issue]), status

    @app.before_request
    def note() -> tuple[Response, int] | None:
        server.tokens.add(request.headers.get("Authorization", ""))
        kind = request.path.split("/")[2] if request.path.count("/") > 1 else ""
        return outcome(403, "not for you") if server.refuses and kind == server.refuses else None

    @app.post("/fhir")
    def transaction() -> Any:
        try:
            return jsonify(
                resourceType="Bundle", type="transaction-response", entry=server.apply(request.json)
            )
        except ValueError as fault:
            return outcome(409, str(fault))

    @app.get("/fhir/<kind>/<name>")
    def read(kind: str, name: str) -> Any:
        found = server.held.get(f"{kind}/{name}")
        return jsonify(found) if found else outcome(404, "not known")

    @app.get("/fhir/<kind>")
    @app.post("/fhir/<kind>/_search")
    def search(kind: str) -> Any:
        entries = [{"resource": one, "search": {"mode": "match"}} for one in server.find(kind)]
        return jsonify(resourceType="Bundle", type="searchset", total=len(entries), entry=entries)

    return app


@contextmanager
def running() -> Iterator[Writable]:
    """The server on a free port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = Writable()
    web = make_server("127.0.0.1", 0, _app(server), threaded=True)
    server.base = f"http://127.0.0.1:{web.server_port}/fhir"
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        web.shutdown()
        web.server_close()
        thread.join()
