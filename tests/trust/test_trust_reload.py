"""Registrations changed under the running service: new ones in force without a restart, broken ones never (T-21)."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from forging import Clock

from ehr.registrations import Registry, read_config
from ehr.site import Config

SITE = """
[[site]]
name = "{0}"
region = "US"
iss = ["https://{0}.example.org"]
jku = ["https://{0}.example.org/keys"]
"""
TOP = 'public_url = "https://postcart.example.org"\n'


def text(*names: str) -> str:
    return TOP + "".join(SITE.format(name) for name in names)


def replace_file(path: Path, content: str) -> None:
    """As an operator should: written beside, renamed into place."""
    beside = path.with_suffix(".new")
    beside.write_text(content)
    os.replace(beside, path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "postcart.toml"
    path.write_text(text("a"))
    return path


def names(registry: Registry) -> list[str]:
    return [site.name for site in registry.config.sites]


def test_a_good_file_is_in_force_after_reload(path: Path) -> None:
    registry = Registry(read_config(path), path)
    old = registry.config.digest
    replace_file(path, text("a", "b"))
    assert registry.reload() == ""
    assert names(registry) == ["a", "b"]
    assert registry.site_of_token("https://b.example.org", "") is registry.config.site("b")
    assert registry.config.digest != old


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("public_url = ", "not TOML"),
        ("", "public_url"),
        (text("a", "b")[:-40], "not TOML"),
        (text("a", "a"), "site 'a' too"),
        (text("a").replace("US", "UK"), "region"),
        (text("a") + "colour = 1\n", "colour"),
    ],
)
def test_t_21_a_broken_file_changes_nothing_and_is_told(path: Path, content: str, words: str) -> None:
    registry = Registry(read_config(path), path)
    before = registry.config
    replace_file(path, content)
    told = registry.reload()
    assert words in told
    assert "kept" in told
    assert registry.config is before
    assert registry.last_fault == told
    replace_file(path, text("a", "c"))
    assert registry.reload() == ""
    assert registry.last_fault == ""
    assert names(registry) == ["a", "c"]


def test_t_21_a_file_that_is_gone_changes_nothing(path: Path) -> None:
    registry = Registry(read_config(path), path)
    path.unlink()
    assert "cannot be read" in registry.reload()
    assert names(registry) == ["a"]


def _watched(path: Path) -> tuple[Registry, Clock]:
    clock = Clock()
    return Registry(read_config(path), path, monotonic=clock), clock


def _look(registry: Registry, clock: Clock, seconds: float = 1.1) -> str:
    clock.at += seconds
    return registry.reload_if_changed()


def test_a_changed_file_is_noticed_and_an_unchanged_one_not_read(path: Path) -> None:
    registry, clock = _watched(path)
    before = registry.config
    assert _look(registry, clock) == ""
    assert registry.config is before
    replace_file(path, text("a", "b"))
    assert registry.reload_if_changed() == ""
    assert registry.config is before, "looks once a second at most"
    _look(registry, clock)
    _look(registry, clock)
    assert names(registry) == ["a", "b"]


def test_t_21_a_file_still_being_written_is_not_taken(path: Path) -> None:
    """Half a file can be whole TOML that lacks its last sites: it must stand still first."""
    path.write_text(text("a", "b", "c"))
    registry, clock = _watched(path)
    whole = text("a", "b", "c") + "# end\n"
    for end in range(len(text("a")), len(whole), 60):
        with path.open("w") as handle:
            handle.write(whole[:end])
        assert _look(registry, clock) == ""
        assert names(registry) == ["a", "b", "c"]
    path.write_text(text("a", "b", "d"))
    _look(registry, clock)
    _look(registry, clock)
    assert names(registry) == ["a", "b", "d"]


def test_a_broken_file_is_told_once_and_the_next_good_one_taken(path: Path) -> None:
    registry, clock = _watched(path)
    replace_file(path, "broken")
    told = [_look(registry, clock) for _ in range(5)]
    assert [bool(text) for text in told] == [False, True, False, False, False]
    assert registry.last_fault
    path.unlink()
    assert [bool(_look(registry, clock)) for _ in range(4)] == [False, True, False, False]
    replace_file(path, text("a", "b"))
    _look(registry, clock)
    _look(registry, clock)
    assert (names(registry), registry.last_fault) == (["a", "b"], "")


def test_t_21_a_link_turned_to_another_file_is_noticed(path: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "link.toml", tmp_path / "other.toml"
    link.symlink_to(path)
    other.write_text(text("z"))
    registry, clock = _watched(link)
    beside = tmp_path / "beside"
    beside.symlink_to(other)
    os.replace(beside, link)
    _look(registry, clock)
    _look(registry, clock)
    assert names(registry) == ["z"]


def test_readers_see_one_whole_set_while_files_change(path: Path) -> None:
    """R-17 in small: 100 reloads, good and broken, under three readers; no reader ever meets half a set."""
    registry = Registry(read_config(path), path)
    stop, odd = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            config = registry.config
            if names(registry) not in (["a"], ["a", "b"]) or config.site("a") is None:
                odd.append(config)
            if registry.site_of_token("https://a.example.org", "") is None:
                odd.append(config)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(100):
        replace_file(path, (text("a"), text("a", "b"), "broken")[n % 3])
        registry.reload()
    stop.set()
    for reader in readers:
        reader.join()
    assert odd == []


def test_without_a_file_there_is_nothing_to_reload(path: Path) -> None:
    registry = Registry(read_config(path))
    assert (registry.reload(), registry.reload_if_changed(), registry.last_fault) == ("", "", "")


def test_t_21_a_file_written_while_it_is_read_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = os.fstat, [3]

    def fstat(handle: int) -> os.stat_result:
        if left[0]:
            left[0] -= 1
            with path.open("a") as more:
                more.write("# grows\n")
        return real(handle)

    monkeypatch.setattr(os, "fstat", fstat)
    assert read_config(path).sites[0].name == "a"
    left[0] = 99
    registry = Registry(Config("", ()), path)
    assert "being written" in registry.reload()
