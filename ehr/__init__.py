"""The link to an EHR: registrations, keys, FHIR reads, trust of issuers and servers."""
