"""Code systems as charts write them: aliases, stray blanks, case, NDC shapes, HCPCS filed under CPT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

Found = TypeVar("Found")

CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NDC = "http://hl7.org/fhir/sid/ndc"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"

# Hospitals file HCPCS codes under a CPT code type, and CPT is level I of HCPCS: each is tried for the other.
_TWINS = {CPT: HCPCS, HCPCS: CPT}
# Hyphenated ten-digit NDC forms and the segment that lost its leading zero (labeler, product, package).
_NDC_WIDTHS = (5, 4, 2)


@dataclass(frozen=True, slots=True)
class System:
    """One code system: canonical URI, accepted aliases, how case is folded (`upper`, `lower`, `none`)."""

    id: str
    name: str
    uri: str
    aliases: tuple[str, ...]
    fold: str


def tidy_uri(uri: str | None) -> str:
    """A system URI without blanks anywhere and without a closing slash, in lower case, for comparison."""
    return "".join((uri or "").split()).rstrip("/").lower()


def ndc_keys(code: str) -> Iterator[str]:
    """The 11-digit forms (5-4-2) a written NDC can mean, each followed by its labeler and product (9 digits).

    A ten-digit form without hyphens has three readings; all are given, the caller drops what contradicts.
    """
    parts = code.replace(" ", "").split("-")
    if not all(part.isdigit() for part in parts):
        return
    if len(parts) in (2, 3) and all(len(p) <= w for p, w in zip(parts, _NDC_WIDTHS, strict=False)):
        padded = "".join(part.zfill(width) for part, width in zip(parts, _NDC_WIDTHS, strict=False))
        yield padded
        yield padded[:9]
        return
    digits = "".join(parts)
    if len(digits) == 11:
        yield digits
        yield digits[:9]
    elif len(digits) == 10:
        for full in ("0" + digits, digits[:5] + "0" + digits[5:], digits[:9] + "0" + digits[9:]):
            yield full
            yield full[:9]


@dataclass(frozen=True, slots=True)
class Systems:
    """All known code systems, with one alias table for every look-up (rules 11.4)."""

    rows: tuple[System, ...]
    canonical: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    folds: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)

    @classmethod
    def of(cls, rows: tuple[System, ...]) -> Systems:
        """The alias table of the given systems."""
        canonical = {tidy_uri(name): row.uri for row in rows for name in (row.uri, *row.aliases)}
        return cls(rows, canonical, {row.uri: row.fold for row in rows})

    def normalise(self, uri: str | None) -> str:
        """The canonical URI, or the URI as charted without its blanks where the system is not known."""
        return self.canonical.get(tidy_uri(uri)) or "".join((uri or "").split())

    def fold(self, system: str, code: str) -> str:
        """A code of a canonical system in the case and shape the tables are kept in."""
        tidy = code.strip()
        how = self.folds.get(system, "none")
        tidy = tidy.upper() if how == "upper" else tidy.lower() if how == "lower" else tidy
        if system == ICD_10_CM and len(tidy) > 3 and "." not in tidy:
            tidy = f"{tidy[:3]}.{tidy[3:]}"
        return tidy

    def find(
        self, table: Mapping[tuple[str, str], Found], system: str | None, code: str | None
    ) -> Found | None:
        """What a table of canonical codes holds for a coding as charted, or none."""
        if not code or not code.strip():
            return None
        canonical = self.normalise(system)
        if canonical == NDC:
            return _find_ndc(table, code)
        found = table.get((canonical, self.fold(canonical, code)))
        twin = _TWINS.get(canonical)
        if found is None and twin:
            found = table.get((twin, self.fold(twin, code)))
        return found


def _find_ndc(table: Mapping[tuple[str, str], Found], code: str) -> Found | None:
    found: list[Found] = []
    for key in ndc_keys(code):
        hit = table.get((NDC, key))
        if hit is not None and hit not in found:
            found.append(hit)
    # Two readings that name different things are no reading at all.
    return found[0] if len(found) == 1 else None
