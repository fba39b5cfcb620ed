"""The first tables, and triggers that keep the audit append-only (T-30)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SHORT = sa.String(200)
_MOMENT = sa.String(27)


def upgrade() -> None:
    """Makes all tables."""
    _meta_and_node()
    _audit()
    _cards_and_feedback()
    _replay()
    _launches()
    if op.get_bind().dialect.name == "sqlite":
        _append_only_sqlite()
    else:
        _append_only_postgresql()


def downgrade() -> None:
    """There is no way down: go back by restoring a backup (H-61)."""
    raise RuntimeError("there is no way back: put the backup in place")


def _text(name: str, kind: sa.types.TypeEngine[str] = _SHORT) -> sa.Column[str]:
    return sa.Column(name, kind, nullable=False)


def _meta_and_node() -> None:
    op.create_table("meta", sa.Column("name", sa.String(40), primary_key=True), _text("value", sa.Text()))
    op.create_table(
        "node",
        sa.Column("node", _SHORT, primary_key=True),
        _text("knowledge_version"),
        _text("knowledge_digest"),
        _text("seen", _MOMENT),
    )


def _audit() -> None:
    names = ("site", "service", "hook", "hook_instance", "tenant", "patient_key", "user_key", "category")
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("row_id", sa.String(32), nullable=False, unique=True),
        _text("event", sa.String(40)),
        _text("at", _MOMENT),
        *(_text(name) for name in (*names, "knowledge_digest")),
        sa.Column("milliseconds", sa.Double, nullable=False),
        sa.Column("silent", sa.Boolean, nullable=False),
        sa.Column("suppressed", sa.Integer, nullable=False),
        *(_text(name, sa.Text()) for name in ("keys", "cards", "detail")),
        _text("key_id", sa.String(8)),
        _text("previous", sa.String(64)),
        _text("hash", sa.String(64)),
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def _cards_and_feedback() -> None:
    op.create_table(
        "card",
        sa.Column("site", _SHORT, primary_key=True),
        sa.Column("card", _SHORT, primary_key=True),
        _text("at", _MOMENT),
        *(_text(name) for name in ("service", "category", "kind")),
        sa.Column("silent", sa.Boolean, nullable=False),
        *(_text(name) for name in ("patient_key", "user_key", "facts_digest")),
    )
    op.create_index("card_of_user", "card", ["site", "user_key", "patient_key", "facts_digest"])
    op.create_table(
        "feedback",
        sa.Column("site", _SHORT, primary_key=True),
        sa.Column("card", _SHORT, primary_key=True),
        sa.Column("outcome", sa.String(20), primary_key=True),
        sa.Column("outcome_timestamp", sa.String(40), primary_key=True),
        _text("at", _MOMENT),
        _text("service"),
        _text("accepted_suggestions", sa.Text()),
        _text("reason_code"),
        _text("reason_system", sa.String(1000)),
        _text("reason_display"),
        sa.Column("comment", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_feedback_at", "feedback", ["at"])


def _replay() -> None:
    op.create_table("replay", sa.Column("token", sa.String(64), primary_key=True), _text("until", _MOMENT))
    op.create_index("ix_replay_until", "replay", ["until"])


def _launches() -> None:
    op.create_table(
        "launch_state",
        sa.Column("state_hash", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        _text("expires", _MOMENT),
    )
    op.create_index("ix_launch_state_expires", "launch_state", ["expires"])
    op.create_table(
        "workspace",
        sa.Column("workspace", _SHORT, primary_key=True),
        sa.Column("cookie_hash", sa.LargeBinary, nullable=False),
        _text("site"),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _text("last_used", _MOMENT),
        _text("expires", _MOMENT),
    )
    op.create_index("ix_workspace_site", "workspace", ["site"])
    op.create_index("ix_workspace_expires", "workspace", ["expires"])


def _append_only_sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        )


def _append_only_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
    )
