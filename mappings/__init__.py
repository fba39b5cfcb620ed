"""The core: FHIR resources to facts, facts to a relapse category, category to options, as one `Evaluation`."""
