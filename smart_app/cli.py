"""The shell command `postcart`; each verb loads only what it needs, to answer within a second."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

DONE, FAULTS, WRONG, SELFTEST = 0, 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; exit status 0 done, 1 faults found, 2 wrong input or settings, 3 self-test failed."""
    given = list(sys.argv[1:] if argv is None else argv)
    options = _parser(given[0] if given else "").parse_args(given)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except BrokenPipeError:
        sys.stderr.close()
        return DONE
    except KeyboardInterrupt:
        return WRONG


_MODULES = {
    "keys": ("smart_app.keys_command", "make, rotate or show the signing keys of this service"),
    "audit": ("smart_app.audit_command", "export the audit, or verify that no row was changed"),
    "feedback": ("smart_app.feedback_command", "what became of the cards"),
    "registration": ("smart_app.registration_command", "the sheet an EHR's IT pastes from"),
    "check": (
        "smart_app.check_command",
        "test settings, keys, clock, database, knowledge and each site's servers",
    ),
    "call": ("smart_app.call_command", "sign and send a hook request as a client would"),
    "demo": ("smart_app.demo_command", "an EHR with invented patients beside the service, on this machine"),
    "try": ("smart_app.try_command", "read a patient from an open FHIR server and judge the chart"),
    "seed": ("smart_app.seed_command", "load the invented patients into a FHIR server, or remove them"),
}
"""Verbs with a module of their own, which declares its arguments; read only when the verb is asked for."""


def _parser(asked: str = "") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postcart", description="Relapse after CD19 CAR T: category and options."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _evaluate_verb(verbs)
    report = verbs.add_parser("read-report", help="read CD19, CD20 and CD22 out of report texts")
    report.add_argument(
        "--jsonl", required=True, metavar="FILE", help="lines {id, text, specimen, method}; - = stdin"
    )
    report.set_defaults(run=_read_report)
    _serve_verb(verbs)
    knowledge = verbs.add_parser("knowledge", help="check or lint the knowledge folder")
    actions = knowledge.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="every file against its schema and every figure against its source"
    )
    check.add_argument("folder", nargs="?", metavar="DIR", help="another folder than the one that ships")
    check.set_defaults(run=_knowledge_check)
    actions.add_parser("lint", help="what is quarantined and which groups lack a code").set_defaults(
        run=_lint
    )
    verbs.add_parser("selftest", help="one built-in chart per category").set_defaults(run=_selftest)
    for name, (module, words) in _MODULES.items():
        verb = verbs.add_parser(name, help=words)
        if name == asked:
            command = importlib.import_module(module)
            command.add_arguments(verb)
            verb.set_defaults(run=command.run)
    return parser


def _evaluate_verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("evaluate", help="judge one patient's chart")
    verb.add_argument(
        "files", nargs="+", metavar="FILE", help="hook request, Bundle, list, NDJSON or folder; - = stdin"
    )
    verb.add_argument(
        "--patient", metavar="ID", default="", help="the patient, where the chart names several"
    )
    verb.add_argument("--as-of", metavar="T", default="", help="moment of judgement, default now")
    verb.add_argument(
        "--region", metavar="R", action="append", help="US or EU, may be given twice; default both"
    )
    verb.add_argument("--format", choices=("text", "json", "cards"), default="text")
    verb.add_argument("--out", metavar="DIR", default="", help="write files there instead of standard output")
    verb.set_defaults(run=_evaluate)


def _serve_verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("serve", help="answer CDS Hooks calls")
    verb.add_argument(
        "--config", metavar="FILE", default="", help="registration file (TOML); also $POSTCART_CONFIG"
    )
    verb.add_argument("--host", default="127.0.0.1")
    verb.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    verb.add_argument("--open", action="store_true", help="unauthenticated calls, loopback only")
    verb.add_argument("--as-of", metavar="T", default="", help="fixed moment of judgement")
    verb.add_argument("--workers", type=int, default=1, help="worker processes on the one port")
    verb.set_defaults(run=_serve)


def fail(message: str, status: int = WRONG) -> int:
    """Says on standard error what is wrong and gives the exit status."""
    print(f"postcart: {message}", file=sys.stderr)
    return status


def _evaluate(options: argparse.Namespace) -> int:
    from smart_app.evaluate_command import run

    return run(options)


def _read_report(options: argparse.Namespace) -> int:
    from smart_app.report_command import run

    return run(options)


def _serve(options: argparse.Namespace) -> int:
    from smart_app.serve import run

    return run(options)


def _knowledge_check(options: argparse.Namespace) -> int:
    from smart_app.knowledge_command import check

    return check(options)


def _lint(options: argparse.Namespace) -> int:
    from smart_app.knowledge_command import lint

    return lint(options)


def _selftest(options: argparse.Namespace) -> int:
    from smart_app.knowledge_command import selftest

    return selftest(options)


if __name__ == "__main__":
    sys.exit(main())
