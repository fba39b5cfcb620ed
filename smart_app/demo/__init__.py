"""Trying postcart out: the demo of an EHR and the service, reads from open servers, invented patients for others."""
