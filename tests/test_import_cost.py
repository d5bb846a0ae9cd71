"""Importing the package costs next to nothing; each name is loaded when it is asked for."""

import json
import os
import subprocess
import sys

import pytest

import custom_smtp

HEAVY = frozenset({"dns", "sqlite3", "smtplib", "ssl", "cryptography", "email", "asyncio", "socket", "http", "logging"})


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded once it has run this, unwatched: coverage loads its own."""
    words = [sys.executable, "-c", f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"]
    unwatched = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    ran = subprocess.run(words, check=True, capture_output=True, text=True, timeout=50, env=unwatched)
    return set(json.loads(ran.stdout))


def test_the_front_door_loads_nothing_heavy_and_none_of_its_rooms() -> None:
    bare, ours = loaded_by("import typing"), loaded_by("import custom_smtp")
    assert ours - bare == {"custom_smtp"}
    assert not HEAVY & ours - bare


def test_the_values_know_nothing_of_the_world() -> None:
    values = "Address, Mail, Attachment, Server, Credentials, Tls, Outgoing, Receipt, Reply, DeliveryId, errors, events"
    assert not HEAVY & loaded_by(f"from custom_smtp import {values}")


def test_the_check_can_fail() -> None:
    assert "ssl" in loaded_by("import ssl")


@pytest.mark.parametrize("name", custom_smtp.__all__)
def test_every_name_of_the_front_door_is_there(name: str) -> None:
    assert getattr(custom_smtp, name) is not None
    assert name in dir(custom_smtp)


def test_a_misspelt_name_is_an_error_like_any_other() -> None:
    with pytest.raises(AttributeError, match="module 'custom_smtp' has no attribute 'Sendr'"):
        custom_smtp.Sendr  # type: ignore[attr-defined]  # noqa: B018  # the slip under test
