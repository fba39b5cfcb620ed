"""The pages that the launch makes itself: faults, choice of site, sign-in form, the page for IT."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from flask import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from smart_app.launch.fault import SCREENS, LaunchFault

_FOLDER = Path(__file__).parent.parent / "templates" / "launch"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, status: int = 200, **values: Any) -> Response:
    """One of the launch's own pages."""
    text = _environment().get_template(template).render(**values)
    return Response(text, status=status, mimetype="text/html")


def fault_page(fault: LaunchFault, request_id: str, root: str = "", sites: Iterable[Any] = ()) -> Response:
    """The screen of a fault: what happened, what to do, and a line for IT with request id and code."""
    screen = SCREENS[fault.code]
    return page(
        "fault.html",
        screen.status,
        screen=screen,
        code=fault.code,
        detail=fault.detail,
        request_id=request_id,
        root=root,
    )
