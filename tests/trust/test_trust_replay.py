"""One use per token: with the store, without it, under races, and when one site floods (T-04, T-35)."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest
from forging import AUDIENCES, NOW, World, claims, private_key, sign, site_a, site_b, two_sites

from cds_hooks.trust import Gate, NotTrusted, SeenTokens, _Share


def test_t_04_a_token_is_good_once() -> None:
    world = two_sites()
    token = sign(private_key("a"), claims())
    assert [world.why(token) for _ in range(3)] == ["admitted", "replay", "replay"]


def test_t_04_the_store_decides_for_other_workers() -> None:
    """Two gates share a store only, as two workers do."""
    world = two_sites()
    other = Gate(world.gate._registry, world.keys, world.memory, world.clock)  # type: ignore[arg-type]
    token = sign(private_key("a"), claims())
    assert world.why(token) == "admitted"
    world.gate = other
    assert world.why(token) == "replay"


def test_t_04_a_token_is_remembered_until_it_expires_for_every_worker() -> None:
    world = two_sites()
    world.admit(sign(private_key("a"), claims(exp=NOW + 100)))
    assert world.memory.untils == [datetime.fromtimestamp(NOW + 100 + 60, UTC)]


def test_t_04_a_refused_token_uses_up_nothing() -> None:
    world = two_sites()
    body = claims()
    assert world.why(sign(private_key("b"), body)) == "signature"
    assert world.why(sign(private_key("a"), {**body, "aud": "x"})) == "audience"
    assert world.why(sign(private_key("a"), body)) == "admitted"


def test_t_04_ids_of_two_issuers_do_not_collide() -> None:
    world = two_sites()
    assert world.why(sign(private_key("a"), claims(jti="1"))) == "admitted"
    assert (
        world.why(sign(private_key("b"), claims("https://b.example.org", jti="1"), kid="key-b")) == "admitted"
    )


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_t_04_of_many_at_once_exactly_one_wins(down: bool, shared: bool) -> None:
    """12 threads; with the store also over two gates, without it the process's own table decides."""
    for _ in range(20):
        world = two_sites()
        world.memory.down = down
        token = sign(private_key("a"), claims())
        gates = [world.gate, world.gate]
        if shared and not down:
            gates[1] = Gate(world.gate._registry, world.keys, world.memory, world.clock)  # type: ignore[arg-type]
        assert _race(gates, token) == 1


def _race(gates: list[Gate], token: str) -> int:
    barrier, wins = threading.Barrier(12), []

    def call(gate: Gate) -> None:
        barrier.wait()
        try:
            gate.admit(f"Bearer {token}", AUDIENCES)
        except NotTrusted:
            return
        wins.append(1)

    threads = [threading.Thread(target=call, args=(gates[n % 2],)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(wins)


def test_t_04_store_down_the_process_remembers() -> None:
    world = two_sites()
    world.memory.down = True
    token = sign(private_key("a"), claims())
    assert [world.why(token) for _ in range(2)] == ["admitted", "replay"]


def test_a_token_let_in_without_the_store_is_told() -> None:
    world = two_sites()
    told: list[tuple[str, str]] = []

    def note(*heard: str) -> None:
        told.append((heard[0], heard[1]))

    world.gate = Gate(world.gate._registry, world.keys, world.memory, world.clock, note)  # type: ignore[arg-type]
    world.admit(sign(private_key("a"), claims()))
    world.memory.down = True
    world.admit(sign(private_key("a"), claims()))
    assert told == [("A", "replay_memory")]


def test_t_04_a_token_used_before_the_outage_is_not_good_in_it() -> None:
    world = two_sites()
    token = sign(private_key("a"), claims())
    world.admit(token)
    world.memory.down = True
    assert world.why(token) == "replay"


def test_t_04_a_site_may_rather_refuse_while_the_store_is_down() -> None:
    world = World((site_a(replay_on_outage="refuse"), site_b()), two_sites().server)
    world.memory.down = True
    assert world.why(sign(private_key("a"), claims())) == "replay_unknown"
    assert world.why(sign(private_key("b"), claims("https://b.example.org"), kid="key-b")) == "admitted"


def test_t_35_a_flooding_site_fills_its_own_share_only() -> None:
    seen = SeenTokens(per_site=100)
    told = [seen.first_use("A", "i", str(n), until=NOW + 60, now=NOW) for n in range(150)]
    assert told == [True] * 100 + [None] * 50
    assert seen.first_use("B", "i", "1", until=NOW + 60, now=NOW) is True
    assert seen.first_use("A", "i", "0", until=NOW + 60, now=NOW) is False
    assert seen.first_use("A", "i", "new", until=NOW + 120, now=NOW + 61) is True


def test_t_35_a_full_share_refuses_in_an_outage_and_only_then() -> None:
    world = two_sites()
    world.gate._seen = SeenTokens(per_site=1)
    tokens = [sign(private_key("a"), claims()) for _ in range(3)]
    assert [world.why(tokens[0]), world.why(tokens[1])] == ["admitted", "admitted"]
    world.memory.down = True
    assert world.why(tokens[2]) == "replay_table_full"
    assert world.why(sign(private_key("b"), claims("https://b.example.org"), kid="key-b")) == "admitted"


def test_an_id_is_kept_until_the_last_second_it_could_be_used() -> None:
    world = two_sites()
    token = sign(private_key("a"), claims(exp=NOW + 100))
    world.memory.down = True
    assert world.why(token) == "admitted"
    world.clock.at = NOW + 159
    assert world.why(token) == "replay"
    world.clock.at = NOW + 160
    assert world.why(token) == "expired"


class _SlowToAdd(set[tuple[str, str]]):
    """A set whose `in` gives other threads their turn, as a busy machine may at any point."""

    def __contains__(self, key: object) -> bool:
        there = super().__contains__(key)
        time.sleep(0.005)
        return there


def test_t_04_the_process_table_lets_exactly_one_of_many_threads_win() -> None:
    seen = SeenTokens()
    seen._sites["A"] = _Share(_SlowToAdd(), [])
    barrier, won = threading.Barrier(8), []

    def use() -> None:
        barrier.wait()
        won.append(seen.first_use("A", "i", "1", until=NOW + 60, now=NOW))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, won)) == ["False"] * 7 + ["True"]
