"""Codings and texts to concepts: every coding, every text, aliases, bounded memory (rules 11.4, hazard H-14)."""

from __future__ import annotations

from typing import Any

import pytest
from builders import CPT, HCPCS, ICD10CM, SNOMED
from hypothesis import given
from hypothesis import strategies as st

from mappings.loading import Knowledge, load_knowledge
from mappings.reading import wire
from mappings.reading.recognise import _MEMO_LIMIT, Phrases, Recogniser, label_of, texts_of, words_of

KNOWLEDGE = load_knowledge()
RECOGNISER = Recogniser(KNOWLEDGE)


def made(text: str | None = None, *codings: tuple[str | None, str | None, str | None]) -> wire.Concept:
    return wire.Concept(coding=[wire.Coding(*row) for row in codings], text=text)


def ids(concept: wire.Concept | None) -> set[str]:
    return {found.id for found in RECOGNISER.concepts(concept)}


@pytest.mark.parametrize(
    ("concept", "wanted"),
    [
        (None, set()), (made(), set()), (made(""), set()), (made("Yescarta"), {"axicabtagene-ciloleucel"}),
        (made(None, (HCPCS, "Q2041", None)), {"axicabtagene-ciloleucel"}),
        (made(None, (CPT, "Q2041", None)), {"axicabtagene-ciloleucel"}),
        (made(None, (None, "Q2041", None)), set()), (made(None, ("urn:oid:1.2", "Q2041", None)), set()),
        (made(None, ("urn:oid:1.2", "7", None), (HCPCS, " q2041 ", None)), {"axicabtagene-ciloleucel"}),
        (made(None, ("urn:oid:1.2", "7", "Yescarta")), {"axicabtagene-ciloleucel"}),
        (made("Kymriah", (HCPCS, "Q2041", None)), {"axicabtagene-ciloleucel", "tisagenlecleucel"}),
        (made(None, (HCPCS, None, None), (None, "", "")), set()),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)  # fmt: skip
def test_concepts_of_a_codeable_concept(concept: wire.Concept | None, wanted: set[str]) -> None:
    assert ids(concept) == wanted


@pytest.mark.parametrize("code", ["C83.38", "C8338", "c83.38", " C83.38"])
def test_icd_codes_with_and_without_dot(code: str) -> None:
    assert "dlbcl" in ids(made(None, (ICD10CM, code, None)))


def test_asking_twice_gives_the_same_and_remembers() -> None:
    fresh = Recogniser(KNOWLEDGE)
    concept = made("Yescarta", (SNOMED, "277571004", None))
    first = fresh.concepts(concept)
    assert fresh.concepts(concept) == first
    fresh.forget()
    assert fresh.concepts(concept) == first


def test_memory_is_bounded() -> None:
    fresh = Recogniser(KNOWLEDGE)
    for number in range(_MEMO_LIMIT + 50):
        fresh.text(f"local name {number}")
    assert len(fresh._texts) <= _MEMO_LIMIT
    for number in range(200):
        fresh.concepts(made(None, (f"urn:site:{number}", "Q2041", None)))
    assert len(fresh._codes["Q2041"]) <= 64


def test_long_texts_are_not_kept() -> None:
    fresh = Recogniser(KNOWLEDGE)
    fresh.text("Yescarta " + "x" * 1_000)
    assert not fresh._texts


@given(st.text(max_size=60), st.text(max_size=20) | st.none(), st.text(max_size=20) | st.none())
def test_any_text_and_code_is_taken(text: str, system: str | None, code: str | None) -> None:
    found = RECOGNISER.concepts(made(text, (system, code, text)))
    assert len(set(found)) == len(found)


def test_phrases_match_longest_first_and_never_overlap() -> None:
    class Name:
        def __init__(self, name: str) -> None:
            self.id = name

    one, two, three = Name("car t"), Name("car t cell"), Name("cell")
    rows: Any = [("car t", one), ("car-t cell", two), ("cell", three)]
    found = Phrases(rows).find("CAR-T cell and Car T, cell.")
    assert [(start, end, concept.id) for start, end, concept in found] == [
        (0, 3, "car t cell"),
        (4, 7, "car t cell"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [("CAR-T", ["car", "t"]), ("Axi-cel (YESCARTA®)", ["axi", "cel", "yescarta"]), ("", []), ("—", [])],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_labels() -> None:
    assert label_of(made("Name", (None, "1", "Display"))) == "Name"
    assert label_of(made(None, (None, "1", "Display"))) == "Display"
    assert label_of(made(None, (None, "1", None))) == "1"
    assert label_of(None) == ""
    assert texts_of(made(" ", (None, "1", "Display"))) != [" "]


def test_another_knowledge_recognises_by_itself(knowledge: Knowledge) -> None:
    assert Recogniser(knowledge).text("Yescarta") == RECOGNISER.text("Yescarta")
