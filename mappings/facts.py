"""The types a reader must know: what was read in a chart, each fact with the place it came from.

Reading makes these, deciding uses them, faces show them. All are frozen; collections are tuples.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mappings.dates import ClinicalDate


class Antigen(StrEnum):
    """Surface antigens whose state on malignant cells decides options."""

    CD19 = "CD19"
    CD20 = "CD20"
    CD22 = "CD22"


class AntigenState(StrEnum):
    """The four states of an antigen on malignant cells (rules CD-4)."""

    POSITIVE = "positive"
    LOW_OR_PARTIAL = "low-or-partial"
    NEGATIVE = "negative"
    UNKNOWN = "unknown"


class SpecimenKind(StrEnum):
    """Where a specimen came from, as far as deciding needs it (rules CD-2)."""

    TISSUE = "tissue"
    MARROW = "marrow"
    BLOOD = "blood"
    CSF = "csf"
    EFFUSION = "effusion"
    UNSPECIFIED = "unspecified"


class Method(StrEnum):
    """How an antigen was looked for."""

    FLOW = "flow"
    IHC = "ihc"
    UNSPECIFIED = "unspecified"


class CarTKnowledge(StrEnum):
    """The evidence ladder of a CAR T infusion (terminology, evidence ladder)."""

    PRODUCT_KNOWN = "product-known"
    TARGET_KNOWN = "target-known"
    TARGET_UNKNOWN = "target-unknown"


class EventKind(StrEnum):
    """What happened to the disease."""

    RELAPSE = "relapse"
    PROGRESSION = "progression"
    REFRACTORY = "refractory"
    PARTIAL_RESPONSE = "partial-response"
    RESPONSE = "response"
    REMISSION = "remission"
    STABLE = "stable"
    UNDETERMINED = "undetermined"
    NO_MALIGNANCY = "no-malignancy"
    MALIGNANT_CELLS = "malignant-cells"
    MRD_POSITIVE = "mrd-positive"
    MRD_NEGATIVE = "mrd-negative"
    SUSPECTED = "suspected"


class Certainty(StrEnum):
    """How firmly disease evidence stands (rules 11.9)."""

    CONFIRMED = "confirmed"
    STATED = "stated"
    SUSPECTED = "suspected"
    MRD = "mrd"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SourceRef:
    """Where a fact stands in the chart: the resource, the element, and the words as charted."""

    reference: str
    element: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that did not become a fact, with reference and reason (invariant 4).

    `kind` is one of `unread`, `set-aside`, `conflict`, `remark`.
    """

    kind: str
    reason: str
    source: SourceRef | None = None
    about: str = ""
    code: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """The patient as far as deciding and display need: never an identifier beyond what a face must show."""

    id: str
    birth_date: ClinicalDate | None = None
    sex: str = ""
    deceased: bool = False
    deceased_date: ClinicalDate | None = None
    name: str = ""
    identifiers: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    other_links: tuple[str, ...] = ()
    source: SourceRef | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A lymphoid malignancy on record. `disease` is a disease id of the knowledge folder.

    `scope` is `in` (rules apply), `outside` (named, no options), `excluded` (myeloma, T lineage, other) or
    `unspecified` (lineage or entity not stated). `status` is the clinicalStatus as charted; with `after_car_t` the
    words themselves put the relapse after CAR T. `seen_on` is the day of the specimen in which a report shows it.
    """

    disease: str
    label: str
    scope: str
    status: str
    recorded: ClinicalDate | None
    onset: ClinicalDate | None
    source: SourceRef
    history: bool = False
    remission_code: bool = False
    relapse_code: bool = False
    cns: bool = False
    transformed: bool = False
    visit_only: bool = False
    coded_state: str = ""
    group: str = ""
    pmbcl: bool = False
    after_car_t: bool = False
    seen_on: ClinicalDate | None = None


@dataclass(frozen=True, slots=True)
class CarTInfusion:
    """One treatment with CAR T cells, however often it was documented.

    `first` is the first bag and gives the printed day count, `last` the last bag and gives the order of events
    (rules 11.10). `targets` holds antigen names; empty when not recorded.
    """

    knowledge: CarTKnowledge
    product: str
    label: str
    targets: tuple[str, ...]
    first: ClinicalDate | None
    last: ClinicalDate | None
    sources: tuple[SourceRef, ...]
    split_doses: bool = False
    possibly_incomplete: bool = False
    history_only: bool = False

    @property
    def cd19_directed(self) -> bool:
        """Whether the target is known and includes CD19 (rules 11.10)."""
        return "CD19" in self.targets


@dataclass(frozen=True, slots=True)
class AntigenResult:
    """One reported state of one antigen, on malignant cells, with what a pathologist would ask next.

    `collected` is the specimen's date (Specimen.collection before effective before issued, rules 11.11);
    `collected_is_bound` says that only an upper bound (issued) was found. `band` is true where the state rests
    on a local policy band (rules 11.1). `percent` and `h_score` are as reported. `unreadable` marks a result that is
    there and whose value or standing could not be read: its state is unknown, and no other result stands in for it.
    `untested` marks the statement that nothing was looked for, which is no result.
    """

    antigen: Antigen
    state: AntigenState
    method: Method
    specimen: SpecimenKind
    specimen_text: str
    collected: ClinicalDate | None
    source: SourceRef
    collected_is_bound: bool = False
    status: str = ""
    percent: str = ""
    h_score: str = ""
    intensity: str = ""
    clone: str = ""
    band: bool = False
    preliminary: bool = False
    amended: bool = False
    words: tuple[str, ...] = ()
    accession: str = ""
    integrated: bool = False
    issued: ClinicalDate | None = None
    cns: bool = False
    unreadable: bool = False
    untested: bool = False


@dataclass(frozen=True, slots=True)
class MonitoringResult:
    """A B-cell count in blood: CAR T monitoring, never tumour status (rules 4)."""

    label: str
    value: str
    when: ClinicalDate | None
    source: SourceRef


@dataclass(frozen=True, slots=True)
class DiseaseEvent:
    """Something the chart says of the disease at a time, or now where `current` and undated; with `unreadable` it is
    not known what it says, and it may be a relapse.
    """

    kind: EventKind
    certainty: Certainty
    when: ClinicalDate | None
    source: SourceRef
    current: bool = False
    site: str = ""
    words: str = ""
    new_episode: bool = False
    phenotype: bool = False
    onset: ClinicalDate | None = None
    recorded: ClinicalDate | None = None
    imaging: bool = False
    accession: str = ""
    in_note: bool = False
    unreadable: bool = False

    @property
    def element_is_status(self) -> bool:
        """Whether it rests on the problem list's own status."""
        return self.source.element == "clinicalStatus"

    @property
    def from_problem_list(self) -> bool:
        """Whether it was read from a Condition."""
        return self.source.reference.startswith("Condition/")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A finding that leads off the CD19 tree (lineage switch, T-cell malignancy, CNS), where and when it was charted."""

    source: SourceRef
    when: ClinicalDate | None
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class PriorTherapy:
    """A treatment that was given: drug, transplant or radiotherapy. `therapy` is a knowledge id; with `open_end` the
    chart tells when it began but not its last dose.
    """

    therapy: str
    label: str
    classes: tuple[str, ...]
    voids: tuple[str, ...]
    first: ClinicalDate | None
    last: ClinicalDate | None
    status: str
    sources: tuple[SourceRef, ...]
    administered: bool = True
    open_end: bool = False


@dataclass(frozen=True, slots=True)
class SafetyFact:
    """A value an option asks about, with unit, date and source. `fact` is the name used in `check_before`.

    `state` is `present`, `absent` or `value`; a fact that was not seen has no entry at all.
    """

    fact: str
    state: str
    value: str
    when: ClinicalDate | None
    source: SourceRef
    number: float | None = None
    unit: str = ""
    as_charted: str = ""


@dataclass(frozen=True, slots=True)
class SeenType:
    """What was seen of one resource type: `complete`, `incomplete` or `not-seen`, with the reason (rules 11.5)."""

    type: str
    state: str
    count: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything reading found in one patient's chart, in a fixed order that does not depend on the input's."""

    patient: PatientFacts
    seen: tuple[SeenType, ...]
    diagnoses: tuple[Diagnosis, ...] = ()
    infusions: tuple[CarTInfusion, ...] = ()
    other_cellular: tuple[CarTInfusion, ...] = ()
    antigens: tuple[AntigenResult, ...] = ()
    monitoring: tuple[MonitoringResult, ...] = ()
    events: tuple[DiseaseEvent, ...] = ()
    therapies: tuple[PriorTherapy, ...] = ()
    safety: tuple[SafetyFact, ...] = ()
    remarks: tuple[Remark, ...] = ()
    lineage_switch: tuple[Sighting, ...] = ()
    t_cell_malignancy: tuple[Sighting, ...] = ()
    cns: tuple[Sighting, ...] = ()
    newest: ClinicalDate | None = None
