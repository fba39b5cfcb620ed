"""Public test servers to fill in by hand; none is contacted unless hospital IT has registered it."""

PRESETS = (
    ("SMART App Launcher", "https://launch.smarthealthit.org/v/r4/fhir"),
    ("HAPI public server", "https://hapi.fhir.org/baseR4"),
    ("Epic sandbox", "https://fhir.epic.com/interconnect-fhir-oauth/api/FHIR/R4"),
    ("Oracle Health sandbox", "https://fhir-ehr-code.cerner.com/r4/ec2458f2-1e24-41c8-b71b-0e701af7583d"),
)
