"""Fixtures for every test: the real cluster, and one switch that writes golden files anew."""

import pytest

pytest_plugins = ["cluster.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the golden files anew instead of comparing")
