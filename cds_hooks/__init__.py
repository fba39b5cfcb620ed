"""The CDS Hooks service: requests in, cards out."""
