"""The second server the service is tested under: gunicorn with threads. granian (`postcart serve`) is the first choice.

gunicorn -c deploy/gunicorn.conf.py, with the settings of the service in the environment as `postcart serve` hands them
to its worker. Put the same proxy in front: without it fifty slow senders of headers stop it.
"""

from __future__ import annotations

wsgi_app = "smart_app.serve:application()"
bind = "127.0.0.1:8000"

# One process, as with granian: the limits and the tables of a process count once. Threads wait for FHIR servers.
workers = 1
worker_class = "gthread"
threads = 32
preload_app = False

# Stopping: running calls may end for as long as the failure matrix gives them.
graceful_timeout = 10
timeout = 60
keepalive = 60

# Forms of requests: gunicorn's strict defaults, written down so that nobody turns them. The proxy's limits are narrower.
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
permit_obsolete_folding = False
strip_header_spaces = False
header_map = "drop"
forwarded_allow_ips = "127.0.0.1"

# No access log: paths hold workspace ids and OAuth codes. The service writes its own lines.
accesslog = None
errorlog = "-"
loglevel = "warning"
