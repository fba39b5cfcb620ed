"""Templates to text: one environment, autoescape always on, chart text cleaned before it is written (H-48, T-16)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from smart_app.page import words
from smart_app.page.answer import build_answer
from smart_app.page.course import build_course
from smart_app.page.identity import identity_of
from smart_app.page.options import build_options
from smart_app.page.plate import MID, PRINT, SMALL, WIDE
from smart_app.page.plot import draw
from smart_app.page.takeaway import LIMITS, build_sheet, plain_text, stamp
from smart_app.page.trials import trial_link
from smart_app.page.view import ContextNote, PageView
from smart_app.page.whatif import build_whatif
from smart_app.page.why import build_why

STATIC = {
    "app.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "launch.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "htmx.LICENSE.txt": "text/plain; charset=utf-8",
    "source-sans-3-latin-wght-normal.woff2": "font/woff2",
    "source-sans-3.LICENSE.txt": "text/plain; charset=utf-8",
}
"""The closed list of static files with their media types; nothing else is served from the folder."""

FEEDBACK_REASONS = (
    ("wrong-state", "The state was read wrongly"),
    ("wrong-specimen", "Wrong specimen or not tumour"),
    ("wrong-date", "Wrong date or order"),
    ("wrong-patient", "Not this patient"),
    ("negated", "The report denies it"),
    ("history", "It tells of an earlier time"),
    ("wrong-category", "The category is wrong"),
    ("wrong-option", "An option is wrong or missing"),
    ("other", "Something else"),
)
"""Coded reasons of `this is wrong`: no free text, so that no patient data travels (invariant 9)."""

_CONTEXT_WORDS = {
    ContextNote.EXPIRED: "The card that led here was made more than ten minutes ago. The chart was read again now.",
    ContextNote.OTHER_PATIENT: "The card that led here belongs to another patient. Its content was left aside; "
    "this page is of the patient named above.",
    ContextNote.NOT_CHECKED: "The card that led here could not be checked. Its content was left aside; the chart was "
    "read again for the patient named above.",
}


def static_file(name: str) -> tuple[bytes, str] | None:
    """The bytes and media type of a static file; None for any other name."""
    media = STATIC.get(name)
    if media is None:
        return None
    return resources.files("smart_app").joinpath("static", name).read_bytes(), media


@lru_cache(maxsize=64)
def static_url(root: str, name: str) -> str:
    """The address of a static file with a digest of its bytes, so that it may be kept for long."""
    found = static_file(name)
    digest = hashlib.sha256(found[0]).hexdigest()[:12] if found else ""
    return f"{root}/static/{name}?v={digest}"


def _finalize(value: Any) -> Any:
    """Every plain string loses control and direction characters on its way out; markup of macros passes."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return words.clean(value, 60_000, lines=True)
    return "" if value is None else value


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The one template environment; undefined names are errors."""
    made = Environment(
        loader=PackageLoader("smart_app", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = static_url
    made.globals["product"] = "postcart"
    return made


def render(template: str, **values: Any) -> str:
    """A template of the package with these values."""
    return environment().get_template(template).render(**values)


def render_page(view: PageView) -> str:
    """The whole page of one patient as HTML (ui: order of the page), print sheet included."""
    course = build_course(view)
    options = build_options(view)
    pictures = [picture for plate in (WIDE, MID, SMALL) if (picture := draw(course, plate)) is not None]
    return render(
        "page.html",
        view=view,
        root=view.root,
        who=identity_of(view.evaluation),
        read_at=words.moment_words(view.read_at),
        answer=build_answer(view),
        course=course,
        pictures=pictures,
        print_picture=draw(course, PRINT),
        why=build_why(view),
        options=options,
        whatif=build_whatif(view),
        sheet=build_sheet(view, options),
        note=plain_text(view),
        stamp=stamp(view),
        limits=LIMITS,
        trials=trial_link(view),
        disclosure=view.knowledge.disclosure,
        reasons=FEEDBACK_REASONS,
        context_words=_CONTEXT_WORDS.get(view.app_context, ""),
        triggers=_triggers(view),
        partial=tuple(row for row in build_answer(view).seen if row.glyph == "missing"),
    )


def _triggers(view: PageView) -> tuple[tuple[str, str], ...]:
    """What the launch pointed at, with the place of its raw record."""
    return tuple((words.short(one, 90), words.raw_path(view.base, one)) for one in view.highlighted[:6])
