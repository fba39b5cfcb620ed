"""Ways to change a hook request, each with what it may do to the answer.

`SAME` keeps the meaning; `REMOVES` takes away or spoils information in a way a reader of the request can see;
`ANY` may make another, well-formed chart of it. A mutation works on a decoded request in place and says what it did.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
Place = tuple[Any, Any]
"""A container (object or list) and the key or index in it."""


class Effect(StrEnum):
    """What a mutation may do to the answer."""

    SAME = "same"
    REMOVES = "removes"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Done:
    """One mutation that was carried out."""

    name: str
    where: str
    effect: Effect
    silences: bool = False
    """Whether a chart may fall silent by it, since what was said was said of somebody else."""


Mutation = Callable[[random.Random, Json], "Done | None"]

REQUIRED = {
    "Observation": ("status", "code"),
    "Procedure": ("status",),
    "MedicationAdministration": ("status",),
    "MedicationRequest": ("status",),
    "DiagnosticReport": ("status", "code"),
}
"""Elements that FHIR R4 demands and that decide; without them an entry is not what it says it is."""
DATES = ("effectiveDateTime", "performedDateTime", "effectivePeriod", "performedPeriod", "issued")
ODD_TEXTS = (
    "\u202e19DC",
    "\x00",
    "\ud800",
    "e\u0301" * 40,
    "<script>",
    "{{x}}",
    "\u2028",
    "🧬" * 9,
    "' OR 1=1 --",
    "",
)
ODD_NUMBERS = (0, -1, 1e308, 10**400, 0.1 + 0.2, -0.0, 2**63, 1e-320)
ODD_VALUES: tuple[Any, ...] = (None, True, [], {}, [[]], {"x": 1}, 7, "qz7m", [None, 3, "qz7m"])


# ---- finding places


def resources(request: Json) -> list[tuple[str, Json]]:
    """Every entry's resource of the prefetch with its key."""
    return [
        (key, entry["resource"]) for key, entry in entries(request) if isinstance(entry.get("resource"), dict)
    ]


def entries(request: Json) -> list[tuple[str, Json]]:
    """Every Bundle entry that is an object."""
    return [
        (key, entry)
        for key, bundle in bundles(request)
        for entry in bundle["entry"]
        if isinstance(entry, dict)
    ]


def bundles(request: Json) -> list[tuple[str, Json]]:
    """Every searchset with entries."""
    prefetch = request.get("prefetch")
    if not isinstance(prefetch, dict):
        return []
    return [
        (key, value)
        for key, value in prefetch.items()
        if isinstance(value, dict) and isinstance(value.get("entry"), list) and value["entry"]
    ]


def places(value: Any, path: str = "") -> Iterator[tuple[Place, str]]:
    """Every member and item below a value."""
    rows: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in rows:
        here = f"{path}.{key}"
        yield (value, key), here
        yield from places(inner, here)


def _pick_resource(rng: random.Random, request: Json) -> tuple[str, Json] | None:
    found = resources(request)
    if not found:
        return None
    key, resource = rng.choice(found)
    return f"{key}/{resource.get('id')}", resource


def _pick_place(rng: random.Random, request: Json) -> tuple[str, Place] | None:
    found = _pick_resource(rng, request)
    inner = list(places(found[1])) if found else []
    if not found or not inner:
        return None
    place, path = rng.choice(inner)
    return found[0] + path, place


# ---- the meaning stays


def shuffle_entries(rng: random.Random, request: Json) -> Done | None:
    found = bundles(request)
    if not found:
        return None
    for _, bundle in found:
        rng.shuffle(bundle["entry"])
    return Done("shuffle-entries", "", Effect.SAME)


def _shuffled(rng: random.Random, value: Any) -> Any:
    if isinstance(value, list):
        return [_shuffled(rng, item) for item in value]
    if not isinstance(value, dict):
        return value
    names = list(value)
    rng.shuffle(names)
    return {name: _shuffled(rng, value[name]) for name in names}


def shuffle_members(rng: random.Random, request: Json) -> Done | None:
    mixed = _shuffled(rng, request)
    request.clear()
    request.update(mixed)
    return Done("shuffle-members", "", Effect.SAME)


def repeat_entry(rng: random.Random, request: Json) -> Done | None:
    found = bundles(request)
    if not found:
        return None
    key, bundle = rng.choice(found)
    again = rng.choice(bundle["entry"])
    search = again.get("search") if isinstance(again, dict) else None
    counted = not isinstance(search, dict) or search.get("mode", "match") == "match"
    bundle["entry"].insert(rng.randrange(len(bundle["entry"]) + 1), copy.deepcopy(again))
    if isinstance(bundle.get("total"), int) and counted:
        bundle["total"] += 1
    return Done("repeat-entry", key, Effect.SAME)


def add_foreign_member(rng: random.Random, request: Json) -> Done | None:
    found = _pick_resource(rng, request)
    if not found:
        return None
    found[1]["zzForeign"] = copy.deepcopy(rng.choice(ODD_VALUES))
    return Done("add-foreign-member", found[0], Effect.SAME)


def add_extension(rng: random.Random, request: Json) -> Done | None:
    found = _pick_resource(rng, request)
    if not found or "extension" in found[1]:
        return None
    found[1]["extension"] = [{"url": "https://example.org/own", "valueString": rng.choice(("x", "19", "no"))}]
    return Done("add-extension", found[0], Effect.SAME)


def pad_code(rng: random.Random, request: Json) -> Done | None:
    found = _pick_resource(rng, request)
    codings = [
        (place, path)
        for place, path in places(found[1] if found else {})
        if place[1] == "code" and isinstance(place[0][place[1]], str) and "system" in place[0]
    ]
    if not found or not codings:
        return None
    (holder, name), path = rng.choice(codings)
    holder[name] = f" {holder[name]} "
    return Done("pad-code", found[0] + path, Effect.SAME)


def drop_search_mode(rng: random.Random, request: Json) -> Done | None:
    found = [one for one in entries(request) if one[1].get("search") == {"mode": "match"}]
    if not found:
        return None
    key, entry = rng.choice(found)
    del entry["search"]
    return Done("drop-search-mode", key, Effect.SAME)


# ---- information goes, and it shows


def _keys(request: Json) -> list[str]:
    prefetch = request.get("prefetch")
    return [key for key in prefetch if key != "patient"] if isinstance(prefetch, dict) else []


def _on_key(name: str, change: Callable[[random.Random, Json, str], bool]) -> Mutation:
    def mutate(rng: random.Random, request: Json) -> Done | None:
        keys = _keys(request)
        if not keys:
            return None
        key = rng.choice(keys)
        if not change(rng, request["prefetch"], key):
            return None
        return Done(name, key, Effect.REMOVES)

    return mutate


def _drop(rng: random.Random, prefetch: Json, key: str) -> bool:
    del prefetch[key]
    return True


def _outcome(rng: random.Random, prefetch: Json, key: str) -> bool:
    issue = {"severity": "error", "code": rng.choice(("forbidden", "timeout", "exception", "processing"))}
    prefetch[key] = {"resourceType": "OperationOutcome", "issue": [issue]}
    return True


def _next(rng: random.Random, prefetch: Json, key: str) -> bool:
    bundle = prefetch[key]
    if not isinstance(bundle, dict) or not isinstance(bundle.get("entry"), list):
        return False
    del bundle["entry"][rng.randrange(len(bundle["entry"]) + 1) :]
    bundle["link"] = [{"relation": "next", "url": "https://ehr.example.org/fhir/X?page=2"}]
    bundle.pop("total", None)
    return True


def _total(rng: random.Random, prefetch: Json, key: str) -> bool:
    bundle = prefetch[key]
    if not isinstance(bundle, dict) or not isinstance(bundle.get("entry"), list):
        return False
    before = len(bundle["entry"])
    del bundle["entry"][rng.randrange(before + 1) :]
    bundle["total"] = before + rng.randrange(1, 50)
    bundle["type"] = "searchset"
    return True


def _wrong_resource(rng: random.Random, prefetch: Json, key: str) -> bool:
    prefetch[key] = {"resourceType": rng.choice(("Basic", "Binary", "Parameters")), "id": "x"}
    return True


def spoil_entry(rng: random.Random, request: Json) -> Done | None:
    """An entry's resource becomes something that is no resource."""
    found = entries(request)
    if not found:
        return None
    key, entry = rng.choice(found)
    entry["resource"] = copy.deepcopy(rng.choice(ODD_VALUES))
    return Done("spoil-entry", key, Effect.REMOVES)


def spoil_type(rng: random.Random, request: Json) -> Done | None:
    found = _pick_resource(rng, request)
    if not found:
        return None
    if rng.random() < 0.5:
        found[1].pop("resourceType", None)
    else:
        found[1]["resourceType"] = rng.choice((7, None, "", "qz7m", ["Observation"]))
    return Done("spoil-type", found[0], Effect.REMOVES)


def drop_required(rng: random.Random, request: Json) -> Done | None:
    found = _pick_resource(rng, request)
    names = (
        [name for name in REQUIRED.get(str(found[1].get("resourceType")), ()) if name in found[1]]
        if found
        else []
    )
    if not found or not names:
        return None
    name = rng.choice(names)
    del found[1][name]
    return Done("drop-required", f"{found[0]}.{name}", Effect.REMOVES)


def retype(rng: random.Random, request: Json) -> Done | None:
    """A member of a resource gets a value of another JSON type."""
    found = _pick_place(rng, request)
    if not found:
        return None
    where, (holder, name) = found
    others = [value for value in ODD_VALUES if value is not None and type(value) is not type(holder[name])]
    holder[name] = copy.deepcopy(rng.choice(others))
    return Done("retype", where, Effect.REMOVES)


def _date_places(resource: Json) -> list[tuple[Place, str]]:
    return [
        (place, path)
        for place, path in places(resource)
        if isinstance(place[0][place[1]], str)
        and len(place[0][place[1]]) >= 10
        and place[0][place[1]][:4].isdigit()
        and place[0][place[1]][4] == "-"
    ]


def _pick_date(rng: random.Random, request: Json) -> tuple[str, Place] | None:
    found = _pick_resource(rng, request)
    dates = _date_places(found[1]) if found else []
    if not found or not dates:
        return None
    place, path = rng.choice(dates)
    return found[0] + path, place


def garble_date(rng: random.Random, request: Json) -> Done | None:
    found = _pick_date(rng, request)
    if not found:
        return None
    where, (holder, name) = found
    holder[name] = rng.choice(
        ("soon", "2025-13-45", "0000-00-00", "20250920", "2025-02-30", "9999999-01-01", "-")
    )
    return Done("garble-date", where, Effect.REMOVES)


def coarsen_date(rng: random.Random, request: Json) -> Done | None:
    found = _pick_date(rng, request)
    if not found:
        return None
    where, (holder, name) = found
    holder[name] = holder[name][: rng.choice((4, 7))]
    return Done("coarsen-date", where, Effect.REMOVES)


def drop_date(rng: random.Random, request: Json) -> Done | None:
    found = _pick_resource(rng, request)
    names = [name for name in DATES if name in found[1]] if found else []
    if not found or not names:
        return None
    name = rng.choice(names)
    del found[1][name]
    return Done("drop-date", f"{found[0]}.{name}", Effect.REMOVES)


def garble_status(rng: random.Random, request: Json) -> Done | None:
    found = _pick_resource(rng, request)
    if not found or not isinstance(found[1].get("status"), str):
        return None
    found[1]["status"] = rng.choice(("qz7m", "", "Final ", "finall", "COMPLETED?"))
    return Done("garble-status", found[0], Effect.REMOVES)


def change_patient(rng: random.Random, request: Json) -> Done | None:
    found = _pick_resource(rng, request)
    if not found:
        return None
    name = "subject" if "subject" in found[1] else "patient"
    found[1][name] = {"reference": "Patient/somebody-else"}
    return Done("change-patient", found[0], Effect.REMOVES, silences=True)


# ---- another chart may come of it


def drop_member(rng: random.Random, request: Json) -> Done | None:
    found = _pick_place(rng, request)
    if not found:
        return None
    where, (holder, name) = found
    del holder[name]
    return Done("drop-member", where, Effect.ANY)


def null_member(rng: random.Random, request: Json) -> Done | None:
    found = _pick_place(rng, request)
    if not found:
        return None
    where, (holder, name) = found
    holder[name] = None
    return Done("null-member", where, Effect.ANY)


def null_key(rng: random.Random, request: Json) -> Done | None:
    keys = _keys(request)
    if not keys:
        return None
    key = rng.choice(keys)
    request["prefetch"][key] = None
    return Done("null-key", key, Effect.ANY)


def odd_value(rng: random.Random, request: Json) -> Done | None:
    found = _pick_place(rng, request)
    if not found:
        return None
    where, (holder, name) = found
    holder[name] = rng.choice((*ODD_TEXTS, *ODD_NUMBERS))
    return Done("odd-value", where, Effect.ANY)


def swap_values(rng: random.Random, request: Json) -> Done | None:
    one, two = _pick_place(rng, request), _pick_place(rng, request)
    if not one or not two:
        return None
    (a, x), (b, y) = one[1], two[1]
    a[x], b[y] = copy.deepcopy(b[y]), copy.deepcopy(a[x])
    return Done("swap-values", f"{one[0]} <> {two[0]}", Effect.ANY)


def nest(rng: random.Random, request: Json) -> Done | None:
    found = _pick_place(rng, request)
    if not found:
        return None
    where, (holder, name) = found
    inner: Any = holder[name]
    for _ in range(rng.choice((1, 5, 40, 70))):
        inner = [inner] if rng.random() < 0.5 else {"x": inner}
    holder[name] = inner
    return Done("nest", where, Effect.ANY)


def spoil_envelope(rng: random.Random, request: Json) -> Done | None:
    inner = [(place, path) for place, path in places(request) if not path.startswith(".prefetch.")]
    if not inner:
        return None
    (holder, name), path = rng.choice(inner)
    if rng.random() < 0.5:
        del holder[name]
    else:
        holder[name] = copy.deepcopy(rng.choice((*ODD_VALUES, *ODD_TEXTS, *ODD_NUMBERS)))
    return Done("spoil-envelope", path, Effect.ANY)


def stretch(rng: random.Random, request: Json) -> Done | None:
    found = _pick_place(rng, request)
    if not found or not isinstance(found[1][0][found[1][1]], str):
        return None
    where, (holder, name) = found
    holder[name] = holder[name] * rng.choice((50, 1000)) or "(" * 20_000
    return Done("stretch", where, Effect.ANY)


MUTATIONS: tuple[Mutation, ...] = (
    shuffle_entries,
    shuffle_members,
    repeat_entry,
    add_foreign_member,
    add_extension,
    pad_code,
    drop_search_mode,
    _on_key("drop-key", _drop),
    _on_key("key-outcome", _outcome),
    _on_key("key-next", _next),
    _on_key("key-total", _total),
    _on_key("key-wrong-type", _wrong_resource),
    spoil_entry,
    spoil_type,
    drop_required,
    retype,
    retype,
    retype,
    garble_date,
    coarsen_date,
    drop_date,
    garble_status,
    change_patient,
    drop_member,
    drop_member,
    null_member,
    null_key,
    odd_value,
    odd_value,
    swap_values,
    nest,
    spoil_envelope,
    spoil_envelope,
    stretch,
)


def spoil_bytes(rng: random.Random, body: bytes) -> tuple[bytes, str]:
    """The body cut, with bytes changed, put in or taken out; says how."""
    way = rng.choice(("cut", "flip", "insert", "delete", "splice"))
    at = rng.randrange(len(body))
    if way == "cut":
        return body[:at], f"cut at {at}"
    if way == "flip":
        return body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :], f"flip at {at}"
    if way == "insert":
        return body[:at] + rng.randbytes(rng.randrange(1, 9)) + body[at:], f"insert at {at}"
    end = min(len(body), at + rng.randrange(1, 400))
    if way == "delete":
        return body[:at] + body[end:], f"delete {at}:{end}"
    other = rng.randrange(len(body))
    return body[:other] + body[at:end] + body[other:], f"splice {at}:{end} to {other}"
