"""Fixtures for every test: the real cluster, and one switch that writes golden files anew."""

import pytest
from hypothesis import settings

# How long one example takes says how busy the machine is, nothing about the code.
settings.register_profile("apisnoop", deadline=None, print_blob=True)
settings.load_profile("apisnoop")

pytest_plugins = ["cluster.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the golden files anew instead of comparing")
