"""fhir.resources (R4B) checks the resources that decided; it marks, and never gates what is read (invariant 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from mappings.facts import Remark, SourceRef
from mappings.reading.chart import Chart
from mappings.reading.wire import Resource

_MEMO_LIMIT = 20_000
_encoder = msgspec.json.Encoder()


class Validator:
    """Validates the elements that were read of a resource; verdicts are kept by digest, so that an unchanged resource
    is checked once. Holds no patient data: digests and names of fields."""

    def __init__(self) -> None:
        self._verdicts: dict[bytes, tuple[str, ...]] = {}
        self.validated = 0
        self.asked = 0

    def remarks(self, references: Iterable[str], chart: Chart) -> tuple[Remark, ...]:
        """One remark for each deciding resource that does not fit R4B, naming fields and never values."""
        found = []
        by_reference = {hit.reference: hit.resource for hit in chart.hits}
        for reference in sorted(set(references)):
            resource = by_reference.get(reference)
            if resource is None:
                continue
            fields = self._faults(resource)
            if fields:
                reason = f"does not fit FHIR R4B and is read all the same: {', '.join(fields)}"
                found.append(Remark("remark", reason, SourceRef(reference), code="invalid"))
        return tuple(found)

    def forget(self) -> None:
        """Empties the verdicts (for measuring a cold start)."""
        self._verdicts.clear()

    def _faults(self, resource: Resource) -> tuple[str, ...]:
        self.asked += 1
        raw = _encoder.encode(resource)
        key = hashlib.blake2b(raw, digest_size=16).digest()
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = _validate(resource.resourceType or "", raw)
            self.validated += 1
            if len(self._verdicts) >= _MEMO_LIMIT:
                self._verdicts.clear()
            self._verdicts[key] = verdict
        return verdict


def _validate(kind: str, raw: bytes) -> tuple[str, ...]:
    # imported when first needed: the models cost a third of a second
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        model = get_fhir_model_class(kind)
    except KeyError:
        return ("resourceType",)
    try:
        model.model_validate_json(raw)
    except ValidationError as error:
        places = (
            ".".join(str(part) for part in fault["loc"] if isinstance(part, str | int))
            for fault in error.errors(include_input=False, include_url=False, include_context=False)
        )
        return tuple(dict.fromkeys(place or kind for place in places))[:5]
    except (TypeError, LookupError, AttributeError):
        # the models stumble over a contained resource whose type is no text instead of naming it
        return (kind,)
    return ()
