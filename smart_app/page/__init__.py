"""The page a clinician opens: one evaluation as HTML, print sheet, plain text and JSON, and every state around it."""

from smart_app.page.identity import Identity, identity_of
from smart_app.page.narrative import deciding_references
from smart_app.page.render import FEEDBACK_REASONS, render_page, static_file, static_url
from smart_app.page.states import (
    Fault,
    QueryRow,
    QueryState,
    Site,
    render_ended,
    render_fault,
    render_launch_choice,
    render_loading,
    render_progress,
    render_read_fault,
)
from smart_app.page.takeaway import json_document, plain_text
from smart_app.page.view import ContextNote, Filters, PageView, Stated, read_filters
from smart_app.page.whatif import StatementFault, read_statements

__all__ = [
    "FEEDBACK_REASONS",
    "ContextNote",
    "Fault",
    "Filters",
    "Identity",
    "PageView",
    "QueryRow",
    "QueryState",
    "Site",
    "Stated",
    "StatementFault",
    "deciding_references",
    "identity_of",
    "json_document",
    "plain_text",
    "read_filters",
    "read_statements",
    "render_ended",
    "render_fault",
    "render_launch_choice",
    "render_loading",
    "render_page",
    "render_progress",
    "render_read_fault",
    "static_file",
    "static_url",
]
