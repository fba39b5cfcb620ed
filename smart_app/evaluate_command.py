"""`postcart evaluate`: a chart in, a summary, the whole `Evaluation` as JSON, or a hook response out."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cds_hooks.cards import build_cards, response_json
from cds_hooks.extension import extension
from cds_hooks.names import card_names
from mappings.evaluation import Evaluation
from smart_app.charts import ChartError, read_charts
from smart_app.cli import DONE, fail
from smart_app.settings import SettingsError, parse_moment

if TYPE_CHECKING:
    from mappings.loading import Knowledge

SOURCE_URL = "https://postcart.org/"
_SUFFIX = {"text": "txt", "json": "json", "cards": "json"}


def run(options: argparse.Namespace) -> int:
    """Judges the charts in the files; exit status 0, or 2 where they cannot be read or judged."""
    from mappings.evaluate import evaluate
    from mappings.loading import KnowledgeError, load_knowledge

    try:
        moment = parse_moment(options.as_of) if options.as_of else datetime.now(UTC)
        charts = read_charts(options.files, options.patient)
        knowledge = load_knowledge()
    except (SettingsError, ChartError, KnowledgeError) as fault:
        return fail(str(fault))
    regions = tuple(dict.fromkeys(region.upper() for region in options.region or ("US", "EU")))
    if unknown := [region for region in regions if region not in ("US", "EU")]:
        return fail(f"There are no labels for the region {unknown[0]}; US and EU are known.")
    results = []
    for chart in charts:
        evaluation = evaluate(
            chart.decoded, knowledge, patient_id=chart.patient, as_of=moment, regions=regions
        )
        results.append((chart.name, evaluation))
    _write(options, results, knowledge)
    return DONE


def _write(options: argparse.Namespace, results: list[tuple[str, Evaluation]], knowledge: Knowledge) -> None:
    if options.format == "text":
        from smart_app.summary import summary

        texts = [summary(evaluation, knowledge) for _, evaluation in results]
    else:
        shape = as_json if options.format == "json" else _as_cards
        texts = [_dumped(shape(evaluation, knowledge)) for _, evaluation in results]
    if options.out:
        folder = Path(options.out)
        folder.mkdir(parents=True, exist_ok=True)
        for (name, _), text in zip(results, texts, strict=True):
            (folder / f"{name}.{_SUFFIX[options.format]}").write_text(text + "\n", "utf-8")
        return
    out = sys.stdout
    if options.format != "text" and len(texts) > 1:
        out.write("[\n" + ",\n".join(texts) + "\n]\n")
    else:
        out.write("\n\n".join(texts) + "\n")


def _dumped(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode()


def as_json(evaluation: Evaluation, knowledge: Knowledge) -> dict[str, Any]:
    """The whole `Evaluation` with the extension's names at the top (contract, Shell)."""
    whole: dict[str, Any] = msgspec.to_builtins(evaluation)
    return {**extension(evaluation), **{name: part for name, part in whole.items() if name != "knowledge"}}


def _as_cards(evaluation: Evaluation, knowledge: Knowledge) -> dict[str, Any]:
    return response_json(evaluation, build_cards(evaluation, card_names(knowledge)), SOURCE_URL, opened=True)
