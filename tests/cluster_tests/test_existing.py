"""APISNOOP_TEST_KUBECONFIG: tests against a cluster that somebody else runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.existing import VARIABLE, ExistingCluster

if TYPE_CHECKING:
    from pathlib import Path

    from cluster import ApiServer


def test_without_the_variable_there_is_no_existing_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixtures then start one of their own."""
    monkeypatch.delenv(VARIABLE, raising=False)
    assert ExistingCluster.from_environment() is None


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typo must not start a cluster instead."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError, match=f"{VARIABLE}=.*missing is no file"):
        ExistingCluster.from_environment()


@pytest.mark.cluster
def test_an_existing_cluster_gives_its_api_and_skips_what_needs_more(
    api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kubectl and tokens work as ever; a test that wants the audit log or nodes is skipped, with the reason."""
    monkeypatch.setenv(VARIABLE, str(api_server.kubeconfig))
    existing = ExistingCluster.from_environment()
    assert existing
    assert existing.apiserver_url == api_server.apiserver_url
    assert "namespace/default" in existing.kubectl("get", "namespaces", "-o", "name").split()
    assert existing.service_account_token("default").count(".") == 2
    for attribute in ("audit_log", "nodes", "client_certificate"):
        with pytest.raises(pytest.skip.Exception, match=f"needs the cluster's {attribute}, which .*{VARIABLE}"):
            getattr(existing, attribute)
    with pytest.raises(AttributeError, match="no cluster has 'audit_lgo'"):
        existing.audit_lgo  # noqa: B018 - looking is what fails
