"""The web application and the shell command that put the parts together."""
