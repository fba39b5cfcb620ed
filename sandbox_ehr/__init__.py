"""An EHR in a box, for trying and testing: invented patients, FHIR R4, SMART authorization, a chart that fires hooks."""
