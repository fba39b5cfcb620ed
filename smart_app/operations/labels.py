"""Every value a metric's label may take; what is not listed counts as `other` (T-29).

The lists are written down here, not learned, so that no request can add a time series. A test compares them with
the codes in the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mappings.evaluation import RelapseCategory

OTHER: Final = "other"
NONE: Final = "none"


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SERVICES = frozenset({NONE, "post-car-t-relapse", "post-car-t-order-check"})
HOOKS = frozenset({NONE, "patient-view", "order-select", "order-sign", "encounter-start", "feedback"})
STATUSES = _set(
    "200 204 302 303 304 400 401 403 404 405 408 409 410 411 412 413 414 415 422 429 431 "
    "500 501 502 503 504 505"
)
CATEGORIES = frozenset(category.value for category in RelapseCategory)
CARD_KINDS = CATEGORIES | _set("t-cell-malignancy order-antigen order-safety order-history order-not-checked")
KEYS = _set(
    "patient conditions procedures observations medicationAdministrations medicationRequests reports "
    "serviceRequests ServiceRequest "
    "Patient Condition Procedure Observation MedicationAdministration MedicationRequest DiagnosticReport "
    "Unreadable"
)
KEY_STATES = _set(
    "absent null complete outcome cut withheld wrong-type other-patient elsewhere "  # as a key was given
    "incomplete not-seen failed "  # as a type was seen, or a read ended
)
FETCH_CODES = _set(
    "ok down deadline no-right not-found limited bad cap loop origin breaker server-error not-registered"
)
REFUSALS = _set(
    # form of the request
    "wrong-type wrong-hook wrong-value required not-json not-utf8 too-deep too-large too-long duplicate-key "
    "duplicate-patient unreadable truncated bad-rows too-many nul "
    # who asks, and about whom
    "wrong-user wrong-host not-admin other-patient unknown-service not-trusted unauthorized wrong-site "
    # what cannot be answered now
    "data-needed selftest-failed not-ready limited busy draining not-saved store-down call-too-long unforeseen"
) | {f"http-{status}" for status in STATUSES}
SHED = frozenset({"bytes", "calls", "site", "draining"})
DATABASE_STATES = _set(
    "ok none db_down db_slow db_readonly db_full db_corrupt db_newer store_closed audit_broken"
)
DATABASE_EVENTS = DATABASE_STATES | _set(
    "db_refused db_reconnect audit_written audit_spooled audit_taken_up audit_lost feedback_refused"
)
JWKS_STATES = _set("fresh cached jwks_stale jwks_unreachable jwks_bad")
DISTRUST = _set(
    "no_sites no_token not_bearer token_too_long token_form algorithm typ header_member kid jku signature "
    "unknown_site jku_not_listed unknown_key jwks_unreachable jwks_bad audience expired issued_in_future "
    "not_yet_valid lifetime replay replay_unknown replay_table_full "
    "claim_iss claim_aud claim_jti claim_exp claim_iat claim_nbf claim_sub claim_tenant"
)
FAULTS = frozenset({"unforeseen", "call_killed", "worker_exit", "overlay_kept", "registrations_kept"})
READY_PARTS = _set("knowledge selftest database keys registrations silent clock notices digest draining")

Families = Mapping[str, tuple[str, tuple[tuple[str, frozenset[str]], ...]]]

COUNTERS: Final[Families] = {
    "postcart_calls_total": (
        "Answered calls",
        (("service", SERVICES), ("hook", HOOKS), ("status", STATUSES)),
    ),
    "postcart_categories_total": ("Answers by relapse category", (("category", CATEGORIES),)),
    "postcart_cards_total": ("Cards by kind", (("kind", CARD_KINDS),)),
    "postcart_repaired_total": ("Values of a chart that were read although misshapen", ()),
    "postcart_faults_total": ("Faults of the program", (("kind", FAULTS),)),
    "postcart_refusals_total": ("Calls that were not answered, by code", (("code", REFUSALS),)),
    "postcart_distrusted_total": ("Callers that were not trusted, by cause", (("why", DISTRUST),)),
    "postcart_key_states_total": (
        "What came for each prefetch key",
        (("key", KEYS), ("state", KEY_STATES)),
    ),
    "postcart_shed_total": ("Calls turned away to protect the rest", (("why", SHED),)),
    "postcart_database_events_total": ("What the database did not do", (("event", DATABASE_EVENTS),)),
}
SITE_COUNTERS: Final[Families] = {
    "postcart_fetches_total": (
        "Reads of a FHIR server by outcome",
        (("key", KEYS), ("code", FETCH_CODES)),
    ),
    "postcart_limited_total": ("Calls over a site's rate limit", ()),
    "postcart_jwks_total": ("Where a site's keys came from", (("state", JWKS_STATES),)),
    "postcart_silent_calls_total": ("Calls computed and recorded, answered with no card", ()),
    "postcart_feedback_total": (
        "Rows of feedback that were stored",
        (("outcome", frozenset({"accepted", "overridden"})),),
    ),
}
GAUGES: Final[Families] = {
    "postcart_database_up": ("1 where the database answers", (("state", DATABASE_STATES),)),
    "postcart_ready_part": ("1 where a part of /ready holds", (("part", READY_PARTS),)),
    "postcart_clock_skew_seconds": ("Own clock minus the clocks of EHRs and servers", ()),
    "postcart_calls_running": ("Calls being answered now", ()),
    "postcart_bytes_running": ("Bytes of bodies being answered now", ()),
}
SITE_GAUGES: Final[Families] = {
    "postcart_last_good_call_timestamp_seconds": ("When a site's call was last answered with 200", ()),
    "postcart_silent": ("1 while a site is in silent mode", ()),
}
