"""HTTPS_PROXY of the user: a run goes through it to the server, and says so when it does not let us."""

import pytest

from tests.addons.run.proxies import LOGIN, proxy

NAME = "kubernetes"
"""Of the fake server; nobody here but the proxy knows where that is."""


@pytest.fixture
def named(kubeconfig, server):
    """A kubeconfig that names the server as only the proxy knows it."""
    return kubeconfig(changes={"server": f"https://{NAME}:{server.port}"})


def test_a_run_reaches_the_server_through_it(run, named, server, monkeypatch):
    """With user and password; the command itself reaches us directly."""
    with proxy("http", login=True, to="127.0.0.1") as running:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{':'.join(LOGIN)}@127.0.0.1:{running.port}")
        ran = run()
    assert ran.code == 0, ran.err
    assert [call["status"] for call in ran.calls] == [200]
    assert set(running.asked) == {(NAME, server.port)}


def test_a_refusal_is_told_without_the_password(run, named, server, monkeypatch):
    """One line names the server, what the proxy said and where to look; the server hears nothing."""
    with proxy("http", login=True, to="127.0.0.1") as running:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:guessed@127.0.0.1:{running.port}")
        ran = run()
    assert ran.code == 1
    [line] = [line for line in ran.err.splitlines() if "cluster 'fake'" in line]
    assert f"https://{NAME}:{server.port}" in line
    assert "the proxy refused the connection with status 407" in line
    assert "HTTPS_PROXY" in line
    assert "guessed" not in ran.err + ran.out
    assert server.seen == []
