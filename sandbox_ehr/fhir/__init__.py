"""FHIR R4 over the invented charts: records, search, pages, capability statement, routes."""
