"""The processes that stay up leave what they have imported out of every collection."""

import gc

import pytest
from click.testing import CliRunner

from apisnoop_addons.node import serve
from apisnoop_addons.node.command import cli
from apisnoop_addons.run import start
from apisnoop_addons.run.command import run


@pytest.fixture
def frozen():
    """Nothing is set aside by the tests' own process, before or after."""
    gc.unfreeze()
    yield []
    gc.unfreeze()


def test_a_run_sets_its_imports_aside_before_it_starts(monkeypatch, frozen):
    """Thousands of objects are frozen by the time that the command is started."""
    monkeypatch.setattr(start, "start_run", lambda _: frozen.append(gc.get_freeze_count()))
    CliRunner().invoke(run, ["--", "true"], catch_exceptions=False)
    assert frozen[0] > 1000


def test_the_nodes_proxy_sets_its_imports_aside_before_it_serves(monkeypatch, frozen):
    """As a run does."""

    async def run_proxy(_):
        frozen.append(gc.get_freeze_count())

    monkeypatch.setattr(serve, "run", run_proxy)
    CliRunner().invoke(cli, env={"NODE_NAME": "node"}, catch_exceptions=False)
    assert frozen[0] > 1000
