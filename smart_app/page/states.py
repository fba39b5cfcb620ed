"""Every screen that is not the answer: each says what is known, what is not, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from smart_app.page import words
from smart_app.page.identity import Identity
from smart_app.page.render import render

POLL_MS = 700
"""How long the loading page waits between two looks at how far reading is."""


class QueryState(StrEnum):
    """How far one query of the chart has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One query as the loading page shows it; `pages` is set only where the number of pages is known."""

    name: str
    state: QueryState
    records: int = 0
    page: int = 0
    pages: int | None = None
    reason: str = ""

    @property
    def text(self) -> str:
        """How far it is, in words."""
        if self.state is QueryState.WAITING:
            return "waiting"
        if self.state is QueryState.RUNNING:
            of = f" of about {self.pages}" if self.pages else ""
            return f"page {self.page}{of}" if self.page else "asked"
        if self.state is QueryState.FAILED:
            at = f"page {self.page}, then " if self.page else ""
            return f"{at}{words.short(self.reason, 90) or 'no answer'}"
        return words.counted(self.records, "record")

    @property
    def glyph(self) -> str:
        """The shape beside the words."""
        return {QueryState.DONE: "value", QueryState.FAILED: "attention"}.get(self.state, "none")


@dataclass(frozen=True, slots=True)
class Site:
    """A registered site as the launch page lists it: its FHIR address and what people call it."""

    address: str
    label: str
    environment: str = ""


class Fault(StrEnum):
    """Which fault a page tells of; the code printed for IT is another thing and closed elsewhere."""

    LAUNCH_REFUSED = "launch-refused"
    OTHER_PATIENT = "other-patient"
    FRAME_STORAGE = "frame-storage"
    UNFORESEEN = "unforeseen"


_FAULTS = {
    Fault.LAUNCH_REFUSED: (
        "This launch was refused",
        "postcart could not confirm who opened it or from where. Nothing was read.",
        "Close this window and open postcart again from the chart. If it happens again, give IT the line below.",
    ),
    Fault.OTHER_PATIENT: (
        "This page was opened for another patient",
        "The card that led here belongs to a different chart from the one the EHR opened. Nothing was read.",
        "Open postcart from the chart of the patient you mean.",
    ),
    Fault.FRAME_STORAGE: (
        "This window cannot keep a session",
        "The EHR’s browser blocks the cookie that postcart needs inside a frame.",
        "For IT: allow partitioned cookies for this address in the embedded browser.",
    ),
    Fault.UNFORESEEN: (
        "Something went wrong in postcart",
        "The page could not be made. Nothing is said about the patient.",
        "Open postcart again from the chart. If it happens again, give IT the line below.",
    ),
}


def render_loading(
    *,
    base: str,
    queries: Sequence[QueryRow],
    who: Identity | None = None,
    csrf: str = "",
    site: str = "",
    environment: str = "",
    whatif: Sequence[str] = (),
    poll_ms: int = POLL_MS,
) -> str:
    """The shell that paints at once: banner if known, one row per query; htmx polls, else the page reloads itself."""
    return render(
        "loading.html",
        root=_root(base),
        **_progress(base, queries, csrf, poll_ms),
        who=who,
        site=site,
        environment_label=environment,
        whatif_lines=tuple(whatif),
    )


def render_progress(
    *,
    base: str,
    queries: Sequence[QueryRow],
    who: Identity | None = None,
    csrf: str = "",
    whatif: Sequence[str] = (),
    poll_ms: int = POLL_MS,
) -> str:
    """The fragment that htmx swaps in while reading goes on; with nothing left to read answer `HX-Refresh: true`."""
    progress = _progress(base, queries, csrf, poll_ms)
    return render("_progress.html", **progress, late_who=who, whatif_lines=tuple(whatif))


def _progress(base: str, queries: Sequence[QueryRow], csrf: str, poll_ms: int) -> dict[str, object]:
    done = sum(1 for row in queries if row.state is QueryState.DONE)
    return {
        "base": base,
        "queries": tuple(queries),
        "done": done,
        "awaited": _awaited(queries),
        "csrf": csrf,
        "poll_ms": poll_ms,
    }


def _awaited(queries: Sequence[QueryRow]) -> str:
    """What the category still waits for, in words: nothing is concluded from a part of the chart."""
    under_way = (QueryState.WAITING, QueryState.RUNNING)
    names = [row.name[:1].lower() + row.name[1:] for row in queries if row.state in under_way]
    if not names:
        return "All searches have ended. The category appears once the records they point at are read."
    return f"The category appears once these are read as well: {words.joined(names)}."


def _root(base: str) -> str:
    return base.rsplit("/w/", 1)[0] if "/w/" in base else ""


def render_read_fault(
    *,
    base: str,
    queries: Sequence[QueryRow],
    csrf: str,
    request_id: str,
    code: str,
    at: str,
    who: Identity | None = None,
    site: str = "",
    environment: str = "",
) -> str:
    """Reading stopped: what was read stays named, retry repeats only what failed, or go on without it, marked."""
    failed = [row for row in queries if row.state is QueryState.FAILED]
    return render(
        "read_fault.html",
        root=_root(base),
        base=base,
        failed=tuple(failed),
        read=tuple(r for r in queries if r not in failed),
        done=sum(1 for row in queries if row.state is QueryState.DONE),
        names=words.joined([row.name for row in failed]) or "The chart",
        csrf=csrf,
        request_id=request_id,
        code=code,
        at=at,
        who=who,
        site=site,
        environment_label=environment,
    )


def render_ended(
    *, root: str = "", at: str = "", minutes: int | None = None, closed: bool = False, whatif: bool = False
) -> str:
    """The session is over: no name, nothing clinical; `closed` by the user, else after `minutes` without use."""
    if closed:
        how = "Closed by you."
    elif minutes is not None:
        how = f"Ended {at} after {minutes} minutes without use.".replace("  ", " ")
    else:
        how = f"Ended {at}.".replace(" .", ".")
    rest = "Results you stated under What if were not saved." if whatif else ""
    lines = ("Nothing of the patient is kept in this window. Open postcart again from the chart.",)
    return render(
        "state.html",
        root=root,
        title="This session has ended",
        lines=lines,
        fine=(how, rest),
        is_fault=False,
        form=None,
        link=None,
    )


def render_fault(
    *,
    kind: Fault,
    request_id: str,
    code: str,
    root: str = "",
    at: str = "",
    message: str = "",
    fix: str = "",
    own_window: str = "",
) -> str:
    """A fault as a page: what happened, what to do, and one line for IT with request id and code; no patient data.

    `message` and `fix` replace the stock sentences; `own_window` is where the app opens outside a frame.
    """
    title, said, todo = _FAULTS[kind]
    when = f", {at}" if at else ""
    fine = (f"For IT: request {request_id}{when}, code {code}. No patient data in this line.",)
    link = (own_window, "Open in a window of its own") if own_window else None
    return render(
        "state.html",
        root=root,
        title=title,
        lines=(message or said, fix or todo),
        fine=fine,
        is_fault=True,
        form=None,
        link=link,
    )


def render_launch_choice(
    *, sites: Sequence[Site], presets: Sequence[Site] = (), root: str = "", message: str = ""
) -> str:
    """The launch page opened bare: registered sites for a standalone launch, and public sandboxes to fill in."""
    return render("launch.html", root=root, sites=tuple(sites), presets=tuple(presets), message=message)
