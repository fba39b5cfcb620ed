"""`postcart try`: a patient of any open FHIR server, read and judged as a hook call would."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from smart_app.cli import DONE, fail
from smart_app.demo.open_server import OpenServer, ServerFault, open_server
from smart_app.settings import SettingsError, parse_moment

if TYPE_CHECKING:
    from mappings.evaluation import Evaluation
    from mappings.loading import Knowledge
    from smart_app.demo.one_patient import ReadPatient

_TIMEOUT_S = 60.0
_MOST_CANDIDATES = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `postcart try`."""
    parser.add_argument("--fhir", required=True, metavar="BASE", help="FHIR R4 base, https or loopback")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--patient", metavar="ID", default="", help="logical id of the patient")
    wanted.add_argument("--search-candidates", action="store_true", help="list patients worth trying instead")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token-file", metavar="FILE", default="", help="file with an access token")
    token.add_argument(
        "--token", default="", help="an access token; other users may see it, so rather a file"
    )
    parser.add_argument("--as-of", metavar="T", default="", help="moment of judgement, default now")
    parser.add_argument("--region", choices=("US", "EU"), action="append", help="default: both")
    parser.add_argument("--format", choices=("text", "json", "cards"), default="text")
    parser.add_argument("--timeout", type=float, default=_TIMEOUT_S, metavar="SECONDS")


def run(options: argparse.Namespace) -> int:
    """Reads and judges; exit status 2 for an address, token or patient with which nothing could be read."""
    from mappings.loading import KnowledgeError, load_knowledge

    try:
        server = open_server(options.fhir, options.token, options.token_file)
        moment = parse_moment(options.as_of) if options.as_of else datetime.now(UTC)
        knowledge = load_knowledge()
    except (ServerFault, SettingsError, KnowledgeError) as fault:
        return fail(str(fault))
    if options.search_candidates:
        return _candidates(options, server, knowledge)
    return _judge(options, server, knowledge, moment)


def _judge(options: argparse.Namespace, server: OpenServer, knowledge: Knowledge, moment: datetime) -> int:
    from mappings.evaluate import evaluate
    from smart_app.demo.one_patient import read_lines, read_patient

    read = read_patient(server, options.patient, options.timeout)
    if not read.found:
        lines = "\n".join(read_lines(read.reads))
        return fail(f"nothing of this patient could be read from {server.base.text}.\n{lines}")
    regions = tuple(dict.fromkeys(options.region or ("US", "EU")))
    evaluation = evaluate(read.decoded, knowledge, patient_id=read.patient, as_of=moment, regions=regions)
    if options.format == "text":
        print(_text(read, evaluation, server, knowledge))
    else:
        print(json.dumps(_json(options.format, read, evaluation, knowledge), indent=1, ensure_ascii=False))
    return DONE


def _text(read: ReadPatient, evaluation: Evaluation, server: OpenServer, knowledge: Knowledge) -> str:
    from smart_app.demo.one_patient import read_lines
    from smart_app.summary import shown, summary

    cards = _cards(evaluation, knowledge)["cards"]
    rows = [f"Read from {server.base.text}", *read_lines(read.reads), "", summary(evaluation, knowledge), ""]
    rows.append(f"CARDS OF patient-view: {len(cards) or 'none'}")
    for card in cards:
        rows += ["", f"[{card['indicator']}] {card['summary']}", *str(card.get("detail", "")).splitlines()]
    return "\n".join(shown(row) if "\n" not in row else row for row in rows)


def _json(shape: str, read: ReadPatient, evaluation: Evaluation, knowledge: Knowledge) -> dict[str, Any]:
    from smart_app.demo.one_patient import read_rows
    from smart_app.evaluate_command import as_json

    if shape == "cards":
        return _cards(evaluation, knowledge)
    import msgspec

    return {"reads": read_rows(read.reads), **msgspec.to_builtins(as_json(evaluation, knowledge))}


def _cards(evaluation: Evaluation, knowledge: Knowledge) -> dict[str, Any]:
    from cds_hooks.cards import build_cards, response_json
    from cds_hooks.names import card_names
    from smart_app.evaluate_command import SOURCE_URL

    return response_json(evaluation, build_cards(evaluation, card_names(knowledge)), SOURCE_URL, opened=True)


def _candidates(options: argparse.Namespace, server: OpenServer, knowledge: Knowledge) -> int:
    from smart_app.demo.candidates import candidate_rows, find_candidates
    from smart_app.demo.one_patient import read_lines, read_rows
    from smart_app.summary import shown

    found, searches = find_candidates(server, knowledge, options.timeout)
    if options.format != "text":
        print(json.dumps({"searches": read_rows(searches), "candidates": candidate_rows(found)}, indent=1))
    else:
        print(f"Searched {server.base.text} by code, one page of each search")
        print("\n".join(read_lines(searches)))
        print("")
        for one in found[:_MOST_CANDIDATES]:
            print(shown(f"{one.patient:<28} {one.why}"))
        if len(found) > _MOST_CANDIDATES:
            print(f"and {len(found) - _MOST_CANDIDATES} more")
        if not found:
            print("No patient with these codes was found; there may be some under other codes or in words.")
    if not any(one.pages for one in searches):
        return fail("the server refused every search.")
    return DONE
