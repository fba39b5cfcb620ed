"""The service of the demo as a process: the server of `postcart serve` on a registration file that we wrote.

`postcart serve` first reads the file in its parent process to speak of faults early; here the worker's own reading is
enough, and the parent stays small.
"""

from __future__ import annotations

import sys

from smart_app.serve import serve_processes
from smart_app.settings import Settings


def main(config: str, port: str) -> int:
    """Serves until it is stopped; exit status as for `postcart serve`."""
    return serve_processes(Settings(port=int(port), config=config), workers=1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
