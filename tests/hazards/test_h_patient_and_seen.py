"""Whose data and what was seen; each test also takes its control out (H-01, H-04, H-08 to H-16)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from builders import (
    AS_OF,
    HCPCS,
    Resource,
    bundle,
    category,
    codes_of,
    concept,
    condition,
    judge,
    observation,
    outcome,
    patient,
    pet,
    procedure,
    relapsed,
    report,
    stain,
    state,
)
from removal import altered, same_knowledge_afresh

from mappings.deciding import category as questions
from mappings.evaluation import CriterionResult, Outcome
from mappings.facts import SeenType
from mappings.reading.recognise import Recogniser

QUIET = (condition(clinical="active"), procedure())


class _Everybody(set[str]):
    def __contains__(self, _: object) -> bool:
        return True


def _strangers(made: Any) -> int:
    return sum(row.code == "other-patient" for row in made.assessment.set_aside)


@pytest.mark.parametrize("count", [1, 3, 60])
def test_h01_strangers_resources_are_set_aside_counted_and_named(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = [
        {**stain("Negative", id=f"f{n}"), "subject": {"reference": "Patient/other"}} for n in range(count)
    ]
    made = relapsed(*foreign)
    assert state(made) == "unknown"
    assert min(count, 50) <= _strangers(made) <= count + 1
    monkeypatch.setattr("mappings.reading.collect.own_references", lambda *_: _Everybody())
    assert state(relapsed(*foreign)) == "negative"


def test_h01_the_chart_of_another_patient_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = (condition(), procedure(), stain("Negative"))
    assert category(judge(*chart, patient=patient("other"))) == "insufficient-data"
    monkeypatch.setattr("mappings.reading.collect.refuse_identity", lambda _: None)
    assert category(judge(*chart, patient=patient("other"))) == "cd19-negative"


@pytest.mark.parametrize("link", ["seealso", "refer", "replaced-by"])
def test_h04_history_under_a_linked_record_is_named_never_followed(
    link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = patient(link=[{"other": {"reference": "Patient/twin"}, "type": link}])
    there = {**procedure(), "subject": {"reference": "Patient/twin"}}
    made = judge(condition(), there, patient=linked)
    assert category(made) in ("insufficient-data", "no-cd19-car-t")
    assert not made.facts.infusions
    assert "linked-record" in codes_of(made, "set-aside")
    monkeypatch.setattr("mappings.reading.collect.own_references", lambda *_: _Everybody())
    assert judge(condition(), there, patient=linked).facts.infusions


GAPS = {
    "absent": ...,
    "null": None,
    "error": outcome(),
    "withheld": bundle([outcome("59204")]),
    "denied": bundle([outcome("59205")]),
}
NEGATIVES = [
    ("conditions", (), "no-lymphoid-malignancy"),
    ("procedures", (condition(clinical="active"),), "no-cd19-car-t"),
    ("medicationAdministrations", (condition(clinical="active"),), "no-cd19-car-t"),
    ("observations", QUIET, "no-relapse"),
    ("reports", QUIET, "no-relapse"),
]


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize(("key", "chart", "negative"), NEGATIVES, ids=[row[0] for row in NEGATIVES])
def test_h08_unseen_is_never_absent(
    key: str, chart: tuple[Resource, ...], negative: str, gap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert category(judge(*chart)) == negative
    made = judge(*chart, **{key: GAPS[gap]})
    assert category(made) == "insufficient-data"
    assert any(row.code == "unseen" for row in made.assessment.missing)
    everything = ("Condition", "Procedure", "MedicationAdministration", "Observation", "DiagnosticReport")
    monkeypatch.setattr(
        "mappings.reading.collect.what_was_seen",
        lambda *_: {kind: SeenType(kind, "complete") for kind in everything},
    )
    assert category(judge(*chart, **{key: GAPS[gap]})) == negative


CUT = {
    "next page": {"link": [{"relation": "next", "url": "https://fhir.example.org/r4/next"}]},
    "total": {"total": 7},
}


@pytest.mark.parametrize("cut", CUT)
@pytest.mark.parametrize("key", ["observations", "reports", "conditions"])
def test_h09_a_set_that_was_cut_short_gives_no_negative(
    key: str, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [condition(clinical="active")] if key == "conditions" else []
    short = bundle(held, **CUT[cut])
    assert category(judge(*QUIET, **{key: short})) == "insufficient-data"
    monkeypatch.setattr("mappings.reading.seen._cut_short", lambda *_: "")
    assert category(judge(*QUIET, **{key: short})) == "no-relapse"


def test_h09_facts_of_the_pages_that_came_are_kept() -> None:
    short = bundle([stain("Negative")], total=5_000)
    assert category(relapsed(observations=short)) == "cd19-negative"


def test_h10_the_newest_date_and_the_time_of_judgement_are_told() -> None:
    made = relapsed(stain("Negative", when="2025-09-20"), pet("Progressive disease.", "2025-11-11"))
    assert made.facts.newest is not None
    assert made.facts.newest.text == "2025-11-11"
    assert made.as_of.startswith("2026-06-01T12:00:00")
    older = relapsed(stain("Negative", when="2025-09-20"))
    assert older.facts.newest is not None
    assert older.facts.newest.text == "2025-09-20"


@pytest.mark.parametrize("dirt", [{"status": 5}, {"code": 7}, {"effectiveDateTime": [1]}, {"subject": []}])
def test_h11_dirt_stays_in_its_own_entry(dirt: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    dirty = {**observation("Sodium", id="dirty"), **dirt}

    def run() -> str:
        return category(relapsed(observations=bundle([dirty, stain("Negative")])))

    assert run() == "cd19-negative"

    def none(*_: Any) -> Iterator[Any]:
        return iter(())

    monkeypatch.setattr("mappings.reading.decode._entries", none)
    assert run() != "cd19-negative"


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "registered", " entered-in-error "])
def test_h12_a_withdrawn_result_says_nothing(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state(relapsed(stain("Negative", status=status))) == "unknown"
    for module in ("antigens", "reports", "context", "findings"):
        monkeypatch.setattr(f"mappings.reading.{module}.VOID", frozenset())
    assert state(relapsed(stain("Negative", status=status))) == "negative"


def test_h12_an_amended_result_replaces_the_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = (stain("Positive", id="a"), stain("Negative", id="b", status="amended"))
    assert state(relapsed(*versions)) == "negative"
    monkeypatch.setattr("mappings.deciding.antigen_state._newest_versions", lambda results, _: list(results))
    monkeypatch.setattr("mappings.deciding.antigen_state._settled", lambda *_: [])
    assert state(relapsed(*versions)) == "unknown"


def test_h12_preliminary_is_said() -> None:
    assert relapsed(stain("Negative", status="preliminary")).assessment.antigens[0].preliminary


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_h12_a_refuted_diagnosis_is_none(verification: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chart = (condition(verification=verification), procedure())
    assert category(judge(*chart)) == "no-lymphoid-malignancy"
    monkeypatch.setattr("mappings.reading.disease.verification_of", lambda _: "confirmed")
    assert category(judge(*chart)) == "cd19-unknown"


def test_h13_local_codes_are_read_by_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    local = concept("CD19 by flow", ("urn:oid:1.2.840.1", "LAB7731"))
    result = observation(local, "Negative", specimen="Bone marrow", method="Flow cytometry")
    assert state(relapsed(result)) == "negative"
    monkeypatch.setattr(Recogniser, "text", lambda *_: ())
    assert category(relapsed(result, using=same_knowledge_afresh())) != "cd19-negative"


def test_h14_a_product_under_a_new_code_is_read_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = procedure(concept("Axicabtagene ciloleucel, per dose", (HCPCS, "Q9999")))
    assert category(judge(condition(), renamed, stain("Negative"))) == "cd19-negative"
    monkeypatch.setattr(Recogniser, "text", lambda *_: ())
    coded = concept(None, ("http://hl7.org/fhir/sid/icd-10-cm", "C83.38"))
    assert (
        category(judge(condition(coded), renamed, stain("Negative"), using=same_knowledge_afresh()))
        == "no-cd19-car-t"
    )


def _pdf(title: str) -> Resource:
    data = base64.b64encode(b"%PDF-1.7 binary").decode()
    return report(None, presentedForm=[{"contentType": "application/pdf", "data": data, "title": title}])


def test_h15_a_scan_is_listed_and_its_title_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    made = relapsed(_pdf("Lymphoma cells CD19 negative"))
    assert state(made) == "unknown"
    assert any(row.code == "attachment" for row in made.assessment.unread)
    from mappings.reading import narrative

    def by_title(hit: Any) -> Any:
        forms = hit.resource.presentedForm
        return ([narrative.Passage("presentedForm", bytes(forms).decode())] if forms else []), []

    monkeypatch.setattr("mappings.reading.allowance.passages", by_title)
    assert state(relapsed(_pdf("Lymphoma cells CD19 negative"))) == "negative"


LANGUAGES = {
    "Dutch": "Lymfoomcellen zijn CD19 negatief en CD20 positief.",
    "Polish": "Komórki chłoniaka są CD19 ujemne.",
    "Japanese": "リンパ腫細胞はCD19陰性である。",
    "Greek": "Τα κύτταρα του λεμφώματος είναι CD19 αρνητικά.",
    "Arabic": "خلايا اللمفوما سلبية CD19",
    "Finnish": "Lymfoomasolut ovat CD19-negatiivisia.",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_h15_other_languages_are_unknown(language: str) -> None:
    assert state(relapsed(report(LANGUAGES[language]))) == "unknown"


READ = {
    "German": "Lymphomzellen: CD19 negativ.",
    "French": "Cellules lymphomateuses : CD19 négatif.",
    "Italian": "Cellule di linfoma: CD19 negativo.",
    "Spanish": "Células de linfoma: CD19 negativo.",
}


@pytest.mark.parametrize("language", READ)
def test_h15_four_other_languages_are_read_by_closed_lists(language: str) -> None:
    assert state(relapsed(report(READ[language]))) == "negative"


@pytest.mark.parametrize(
    ("death", "wanted"),
    [({"deceasedBoolean": True}, "deceased"), ({"deceasedDateTime": "2026-05-31"}, "deceased"),
    ({"deceasedDateTime": "2026-06-01"}, "deceased"),
     ({"deceasedDateTime": "2026"}, "deceased"), ({"deceasedDateTime": "2026-06-02"}, "cd19-negative"),
     ({"deceasedBoolean": False}, "cd19-negative")],
    ids=str,
)  # fmt: skip
def test_h16_the_dead_get_no_options(
    death: dict[str, Any], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = relapsed(stain("Negative"), patient=patient(**death))
    assert category(made) == wanted
    assert bool(made.matches) is (wanted != "deceased")
    monkeypatch.setattr(
        questions, "is_deceased", lambda *_: CriterionResult("deceased", Outcome.FAILS, "", "")
    )
    assert category(relapsed(stain("Negative"), patient=patient(**death))) == "cd19-negative"


def test_the_knowledge_can_be_altered_for_these_tests() -> None:
    assert altered().version
    assert AS_OF.tzinfo is not None
    assert replace(altered(), version="x").version == "x"
