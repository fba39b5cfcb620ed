"""What came back from a hook service, as text for a person at a terminal; nothing of it is trusted to be harmless."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ehr.transport import Answer
from smart_app.it.words import harmless, indented, one_line


def answer_text(answer: Answer, milliseconds: float) -> str:
    """Status, time, and the cards, the services or the reason of a refusal."""
    lines = [f"status {answer.status}, {milliseconds:.0f} ms, {len(answer.body)} bytes"]
    request_id = answer.headers.get("x-request-id", "")
    if request_id:
        lines[0] += f", request id {one_line(request_id, 80)}"
    body = _read(answer.body)
    if body is None:
        lines.append("The answer is not a JSON object.")
    elif answer.status != 200:
        lines += _refusal(body, answer)
    elif isinstance(body.get("services"), list):
        lines += _services(body["services"])
    elif isinstance(body.get("cards"), list):
        lines += _cards(body)
    else:
        lines.append("The answer holds neither cards nor services.")
    return "\n".join(lines)


def _read(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _rows(value: object) -> Iterator[Mapping[str, Any]]:
    for row in value if isinstance(value, list) else ():
        if isinstance(row, dict):
            yield row


def _refusal(body: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    for issue in _rows(body.get("issue")):
        yield f"  {one_line(issue.get('code'), 60)}: {one_line(issue.get('diagnostics'))}"
    if answer.status == 401:
        yield "  The service says no more to a caller. Its log line `refused` has the cause in `why`."
    if answer.headers.get("retry-after"):
        yield f"  try again after {one_line(answer.headers['retry-after'], 40)} s"


def _services(services: object) -> Iterator[str]:
    for one in _rows(services):
        yield ""
        yield f"{one_line(one.get('hook'), 60)}  {one_line(one.get('id'), 80)}: {one_line(one.get('title'), 120)}"
        prefetch = one.get("prefetch")
        for key, template in prefetch.items() if isinstance(prefetch, dict) else ():
            yield f"  {one_line(key, 60)}: {one_line(template)}"


def _cards(body: Mapping[str, Any]) -> Iterator[str]:
    cards = list(_rows(body["cards"]))
    if not cards:
        yield "no card"
    for card in cards:
        yield ""
        yield f"[{one_line(card.get('indicator'), 20)}] {one_line(card.get('summary'))}"
        yield from indented(harmless(card.get("detail")))
        source = card.get("source")
        if isinstance(source, dict):
            yield f"  Source: {one_line(source.get('label'), 200)}"
        for suggestion in _rows(card.get("suggestions")):
            yield f"  Suggestion: {one_line(suggestion.get('label'), 200)}"
        for link in _rows(card.get("links")):
            kind = one_line(link.get("type"), 20)
            yield f"  Link ({kind}): {one_line(link.get('label'), 100)} {one_line(link.get('url'))}"
