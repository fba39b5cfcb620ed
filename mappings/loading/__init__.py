"""Reads and checks the knowledge folder: the only disk access of the core."""

from __future__ import annotations

from pathlib import Path

from mappings.loading.catalogue import (
    AgeLimit,
    CheckBefore,
    Evidence,
    Exclusion,
    MustSay,
    NoteWhen,
    Option,
    Outcome,
    Route,
    SafetyOutcome,
    StatusRow,
    Target,
)
from mappings.loading.codes import System, Systems
from mappings.loading.errors import Fault, KnowledgeError
from mappings.loading.lint import lint_knowledge
from mappings.loading.load import load_knowledge, packaged_folder
from mappings.loading.order_rules import OrderCondition, OrderFilter, OrderKnowledge, OrderRule, OrderWords
from mappings.loading.policy import Limit, Policy, Setting, TimingBin
from mappings.loading.types import Category, Check, Concept, Knowledge, Rule


def check_knowledge(folder: Path | None = None, overlay: Path | None = None) -> tuple[Fault, ...]:
    """Every fault of a knowledge folder with file, field and fix (see `mappings.loading.check`)."""
    # Imported here: schema and FHIR models cost a second that plain loading must not pay.
    from mappings.loading.check import check_knowledge as check

    return check(folder, overlay)


__all__ = [
    "AgeLimit",
    "Category",
    "Check",
    "CheckBefore",
    "Concept",
    "Evidence",
    "Exclusion",
    "Fault",
    "Knowledge",
    "KnowledgeError",
    "Limit",
    "MustSay",
    "NoteWhen",
    "Option",
    "OrderCondition",
    "OrderFilter",
    "OrderKnowledge",
    "OrderRule",
    "OrderWords",
    "Outcome",
    "Policy",
    "Route",
    "Rule",
    "SafetyOutcome",
    "Setting",
    "StatusRow",
    "System",
    "Systems",
    "Target",
    "TimingBin",
    "check_knowledge",
    "lint_knowledge",
    "load_knowledge",
    "packaged_folder",
]
