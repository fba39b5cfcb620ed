"""One way to the database for each kind of work: within its time, or `StoreDown` with a closed code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cds_hooks.memory import StoreDown
from smart_app.store.engine import Role, down_code
from smart_app.store.hands import Hands, TooSlow
from smart_app.store.health import Health

T = TypeVar("T")


class Access:
    """Runs work on connections of one role. PostgreSQL work runs on `Hands`, since its server may hang."""

    def __init__(self, engine: Engine, role: Role, health: Health) -> None:
        self.engine = engine
        self._health = health
        self._seconds = role.wait_ms / 1000
        remote = engine.dialect.name != "sqlite"
        self._hands = Hands(role.connections, f"store-{role.name}") if remote else None

    def run(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` in one transaction; raises `StoreDown` at the latest after the role's time."""
        self._health.refuse_if_down()
        try:
            if self._hands is None:
                result = self._in_transaction(work)
            else:
                result = self._hands.call(lambda: self._in_transaction(work), self._seconds)
        except TooSlow:
            self._health.failed("db_slow")
            raise StoreDown("db_slow") from None
        except (DataError, IntegrityError):
            # one row this database does not take says nothing about the next one
            self._health.count("db_refused")
            raise StoreDown("db_refused") from None
        except (DBAPIError, PoolTimeout) as error:
            code = down_code(error)
            self._health.failed(code)
            raise StoreDown(code) from None
        self._health.worked()
        return result

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return work(connection)

    def close(self) -> None:
        """Gives the connections back."""
        if self._hands is not None:
            self._hands.close()
        self.engine.dispose()
