"""The link to an EHR: site registrations, keys, trust of issuers and servers, FHIR reads."""
