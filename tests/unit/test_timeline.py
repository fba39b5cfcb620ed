"""The course as entries in lanes: days, order, what was set aside."""

from __future__ import annotations

from test_options import INFUSION, case, chart, on, view

from mappings.deciding.timeline import LANES, build_timeline
from mappings.evaluation import Timing
from mappings.facts import (
    Antigen,
    AntigenState,
    Certainty,
    DiseaseEvent,
    EventKind,
    MonitoringResult,
    PriorTherapy,
    Remark,
    SourceRef,
)

USED = view(Antigen.CD19, AntigenState.POSITIVE).results[0]


def event(kind: EventKind, when: str | None, reference: str = "Observation/7") -> DiseaseEvent:
    """A disease event."""
    return DiseaseEvent(kind, Certainty.STATED, on(when) if when else None, SourceRef(reference))


def course(therapy: str, classes: tuple[str, ...], when: str, administered: bool = True) -> PriorTherapy:
    """A treatment of one day."""
    return PriorTherapy(
        therapy,
        therapy,
        classes,
        (),
        on(when),
        on(when),
        "completed",
        (SourceRef("Procedure/3"),),
        administered,
    )


def facts(reverse: bool = False) -> object:
    """A course with something in every lane."""
    step = -1 if reverse else 1
    old = type(USED)(
        Antigen.CD19,
        AntigenState.NEGATIVE,
        USED.method,
        USED.specimen,
        "bone marrow",
        on("2024-11-02"),
        SourceRef("Observation/2"),
    )
    events = (
        event(EventKind.RESPONSE, "2025-02-09"),
        event(EventKind.PROGRESSION, "2025-05-10"),
        event(EventKind.RELAPSE, None),
    )
    therapies = (
        course("rituximab", ("cd20-antibody",), "2023-01-02"),
        course("transplant-autologous", ("transplant", "auto"), "2023-08-02"),
        course("glofitamab", ("cd20xcd3",), "2025-06-02", administered=False),
    )
    counts = (MonitoringResult("CD19 cells in blood", "0 /uL", on("2025-03-01"), SourceRef("Observation/5")),)
    return chart(
        antigens=(USED, old)[::step], events=events[::step], therapies=therapies[::step], monitoring=counts
    )


def test_lanes_days_and_order() -> None:
    """Days from the first bag; sorted by date, undated last; orders are no part of the course."""
    entries = build_timeline(facts(), case())  # type: ignore[arg-type]
    assert {entry.lane for entry in entries} == set(LANES)
    by_label = {entry.label: entry for entry in entries}
    assert (by_label["axi-cel"].day, by_label["axi-cel"].lane) == (0, "car-t")
    assert (by_label["response"].day, by_label["progression"].day) == (30, 120)
    assert by_label["rituximab"].day == -739
    assert by_label["transplant-autologous"].lane == "transplant"
    assert "glofitamab" not in by_label
    assert entries[-1].when is None
    dated = [entry.when.first for entry in entries if entry.when is not None]
    assert dated == sorted(dated)


def test_set_aside_results_stay_and_are_marked() -> None:
    """Invariant 4."""
    entries = build_timeline(facts(), case())  # type: ignore[arg-type]
    marks = {entry.label: entry.set_aside for entry in entries if entry.lane == "antigen"}
    assert marks == {"CD19 positive": False, "CD19 negative": True}
    assert sum(entry.lane == "biopsy" for entry in entries) == 2


def test_the_order_of_the_chart_is_no_information() -> None:
    """The same entries for any order of the input."""
    assert build_timeline(facts(), case()) == build_timeline(facts(True), case())  # type: ignore[arg-type]


def test_no_anchor_no_days() -> None:
    """Without a CD19 CAR T infusion nothing can be counted."""
    entries = build_timeline(chart(infusions=()), case(anchor=None))
    assert entries == ()
    undated = build_timeline(chart(infusions=(INFUSION,)), case(anchor=None))
    assert [entry.day for entry in undated] == [None]


def test_an_event_that_was_set_aside_is_marked() -> None:
    """Invariant 4: an event that cannot be put before or after the infusion stays in sight, and says so."""
    odd = event(EventKind.PROGRESSION, "2025-05-10", "DiagnosticReport/9")
    why = Remark("set-aside", "cannot be ordered", odd.source, about="course", code="order-unknown")
    seen = event(EventKind.RESPONSE, "2025-02-09", "DiagnosticReport/8")
    entries = build_timeline(chart(events=(odd, seen)), case(set_aside=(why,)))
    assert {entry.label: entry.set_aside for entry in entries if entry.lane != "car-t"} == {
        "progression": True,
        "response": False,
    }


def test_the_problem_list_entry_that_dates_the_relapse_stands_at_that_date() -> None:
    """Rules 11.3: head and course give the relapse one date; an entry that dates nothing stays undated."""
    dating = event(EventKind.RELAPSE, None, "Condition/1")
    other = event(EventKind.RELAPSE, None, "Condition/2")
    timing = Timing(120, "91-180", False, on("2025-05-10"), dating.source)
    entries = build_timeline(chart(events=(dating, other)), case(timing=timing))
    found = {entry.source.reference: entry for entry in entries if entry.lane == "relapse" and entry.source}
    assert found["Condition/1"].when == on("2025-05-10")
    assert "date of the problem-list entry" in found["Condition/1"].detail
    assert found["Condition/2"].when is None
