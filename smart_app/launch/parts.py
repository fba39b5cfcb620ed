"""What the launch routes are put together from; the app's factory fills it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from cds_hooks.memory import FeedbackRow
from ehr.own_keys import KeyFolder
from ehr.queries import Fetched, Query
from ehr.site import Config, Site
from ehr.transport import Deadline, Transport
from mappings.evaluation import Evaluation
from mappings.loading import Knowledge
from mappings.reading.decode import Decoded
from smart_app.launch.charts import Charts
from smart_app.launch.identity import KeyFinder
from smart_app.launch.seal import Sealer
from smart_app.launch.vault import WorkspaceStore


class Registrations(Protocol):
    """The registered sites as they stand now."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    def site_of_launch(self, iss: str) -> Site | None:
        """The site of a SMART `iss`, compared as a parsed address; None for any other. Makes no request."""


class Link(Protocol):
    """Reads from a registered FHIR server."""

    def fetch(
        self,
        site: Site,
        queries: Sequence[Query],
        *,
        token: str | None,
        deadline: Deadline,
        request_id: str = "",
        renew: Callable[[], str | None] | None = None,
        current: Callable[[], str | None] | None = None,
        progress: Callable[[Query, int, str], None] | None = None,
    ) -> dict[str, Fetched]:
        """What each query brought, by its key."""


class FeedbackMemory(Protocol):
    """Takes feedback; may raise `StoreDown`."""

    def record_feedback(self, rows: Sequence[FeedbackRow]) -> None:
        """Stores the rows, durable before it returns."""


class Judging(Protocol):
    """What one site's charts are judged with: the knowledge with the site's overlay, and the evaluation by it."""

    @property
    def knowledge(self) -> Knowledge:
        """The knowledge."""

    @property
    def evaluate_orders(self) -> Callable[[Decoded, str, datetime], Evaluation]:
        """The evaluation of a chart for a patient at a moment, with the values that options ask about read."""


class Note(Protocol):
    """Writes a log line; the fields are closed labels, never a code, token, address query or patient."""

    def __call__(self, event: str, **fields: object) -> None:
        """Writes one line."""


def _silent(event: str, **fields: object) -> None:
    """No log."""


@dataclass(frozen=True, slots=True)
class LaunchParts:
    """The parts. `judging` gives what a site's cards are judged with as well: one evaluation for all faces.

    `as_of` fixes the moment of judgement, None takes the clock. `context_key` signs a card's `appContext`.
    `public_url` is this service's own address without a slash at its end; the redirect address hangs on it.
    """

    registry: Registrations
    transport: Transport
    keys: KeyFinder
    own_keys: KeyFolder
    workspaces: WorkspaceStore
    link: Link
    judging: Callable[[Site], Judging]
    sealer: Sealer
    public_url: str
    memory: FeedbackMemory | None = None
    context_key: bytes = b""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    as_of: datetime | None = None
    regions: tuple[str, ...] = ("US", "EU")
    note: Note = _silent
    charts: Charts = field(default_factory=Charts)
    request_id: Callable[[], str] = lambda: ""
    read_wait_s: float = 60.0

    @property
    def redirect_uri(self) -> str:
        """The registered redirect address."""
        return f"{self.public_url}/callback"

    def moment(self) -> datetime:
        """The moment of judgement of a chart read now."""
        return self.as_of if self.as_of is not None else self.clock()

    def judged(self, site: Site, chart: Decoded, patient: str, moment: datetime) -> Evaluation:
        """The evaluation of a chart at a site, by the same knowledge as the site's cards.

        Values are read whatever the category: a statement may bring options up, and a value that is in the chart must
        then not look like one that was not found (H-46).
        """
        return self.judging(site).evaluate_orders(chart, patient, moment)

    def knowledge_of(self, site: Site) -> Knowledge:
        """The knowledge a site's charts are judged by."""
        return self.judging(site).knowledge

    def regions_of(self, site: Site) -> tuple[str, ...]:
        """Whose labels are shown at a site."""
        return (site.region,) if site.region else self.regions


Fields = Mapping[str, Any]
