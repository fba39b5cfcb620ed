"""The shipped alerts speak of figures that exist, with labels that exist (H-55)."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from smart_app.operations import labels
from smart_app.operations.metrics import Metrics

ALERTS = (Path(__file__).parents[2] / "deploy" / "alerts.yml").read_text("utf-8")
EXPRESSIONS = re.findall(r"^\s+expr: (.+)$", ALERTS, re.MULTILINE)


def families() -> dict[str, set[str]]:
    """Every name a Prometheus server can ask for, with its labels."""
    found: dict[str, set[str]] = {}
    for group in (labels.COUNTERS, labels.GAUGES):
        found |= {name: {label for label, _ in rows} for name, (_, rows) in group.items()}
    for group in (labels.SITE_COUNTERS, labels.SITE_GAUGES):
        found |= {name: {"site", *(label for label, _ in rows)} for name, (_, rows) in group.items()}
    for family in text_string_to_metric_families(Metrics().text()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_h55_every_figure_in_an_alert_is_one_of_ours() -> None:
    known = families()
    named = {name for text in EXPRESSIONS for name in re.findall(r"\bpostcart_[a-z0-9_]+", text)}
    assert len(named) >= 10
    assert named <= set(known)
    for text in EXPRESSIONS:
        for name, selector in re.findall(r"\b(postcart_[a-z0-9_]+)\{([^}]*)\}", text):
            for label in re.findall(r"([a-z_]+)(?:!=|=~|=)", selector):
                assert label in known[name], (name, label)


def test_h55_labels_in_the_words_of_an_alert_are_those_of_its_figure() -> None:
    known = families()
    for alert in re.split(r"\n\s+- alert: ", ALERTS)[1:]:
        named = re.findall(r"\bpostcart_[a-z0-9_]+", alert)
        for label in re.findall(r"\$labels\.([a-z]+)", alert):
            assert any(label in known[name] for name in named), (alert.split("\n")[0], label)


def test_h55_silence_and_death_raise_an_alarm_by_themselves() -> None:
    text = "\n".join(EXPRESSIONS)
    for name in (
        'up{job="postcart"} == 0',
        "postcart_last_good_call_timestamp_seconds",
        "postcart_ready_part",
    ):
        assert name in text
