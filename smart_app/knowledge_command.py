"""`postcart knowledge` and `postcart selftest`: the checks that stand between the files and a patient."""

from __future__ import annotations

import argparse
from pathlib import Path

from smart_app.cli import DONE, FAULTS, SELFTEST, fail


def check(options: argparse.Namespace) -> int:
    """Prints every fault of the knowledge folder; exit status 1 if there is one, 2 if unreadable."""
    from mappings.loading import KnowledgeError, check_knowledge

    folder = Path(options.folder) if options.folder else None
    if folder is not None and not folder.is_dir():
        return fail(f"{options.folder}: is not a folder.")
    try:
        faults = check_knowledge(folder)
    except KnowledgeError as fault:
        return fail(str(fault))
    for one in faults:
        print(f"{one.file}: {one.field}: {one.message} {one.fix}".rstrip())
    print(f"{len(faults)} faults" if faults else "no fault found")
    return FAULTS if faults else DONE


def lint(options: argparse.Namespace) -> int:
    """Prints what is quarantined and which needed groups have no verified code (rules 11.18)."""
    from mappings.loading import lint_knowledge

    for line in lint_knowledge():
        print(line)
    return DONE


def selftest(options: argparse.Namespace) -> int:
    """Runs the built-in case of every category; exit status 3 where one fails."""
    from mappings.loading import KnowledgeError, load_knowledge
    from smart_app.selftest import cases, evaluator_of, run_selftest

    try:
        knowledge = load_knowledge()
    except KnowledgeError as fault:
        return fail(str(fault))
    failed = run_selftest(evaluator_of(knowledge, ("US", "EU")))
    for name in failed:
        print(f"failed: {name}")
    print(f"{len(cases())} cases, {len(failed)} failed, knowledge {knowledge.version} ({knowledge.digest})")
    return SELFTEST if failed else DONE
