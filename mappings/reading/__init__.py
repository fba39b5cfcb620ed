"""FHIR JSON to facts: codes, dates, values, report text, and what could not be read."""
