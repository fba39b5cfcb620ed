"""The pages around the answer: faults with a line for IT, the end of a session, and the launch's own small pages."""

from __future__ import annotations

from typing import Any

from flask import Response

from smart_app.launch.fault import SCREENS, LaunchFault
from smart_app.page.render import render


def page(template: str, status: int = 200, **values: Any) -> Response:
    """One of the launch's own pages."""
    return html(render(f"launch/{template}", root="", **values), status)


def html(text: str, status: int = 200) -> Response:
    """A page as an answer."""
    return Response(text, status=status, mimetype="text/html")


def fault_page(fault: LaunchFault, request_id: str) -> Response:
    """The screen of a fault: what happened, what to do, and a line for IT with request id and code."""
    screen = SCREENS[fault.code]
    why = f" ({fault.detail})" if fault.detail else ""
    text = render(
        "state.html",
        root="",
        title=screen.title,
        lines=(screen.said, screen.todo),
        fine=(
            f"For IT: {screen.it} Code {fault.code}{why}, request {request_id}. No patient data in this line.",
        ),
        is_fault=fault.code not in ("not-found", "ended"),
        form=None,
        link=None,
    )
    return html(text, screen.status)
