"""The SMART authorization server on Authlib's server side: clients, grants, discovery, launches."""
