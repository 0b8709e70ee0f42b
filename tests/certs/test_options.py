"""What the command line makes of its words, without a cluster."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from apisnoop_certs.command import cli
from tests.certs.installation import README

PROGRAM = [sys.executable, "-c", "from apisnoop_certs.main import main; main()"]


def run(*words, **environment):
    return subprocess.run(
        [*PROGRAM, *words], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--lifetime=5m"], "--lifetime is less than 600 s, the shortest Kubernetes allows"),
        (["--lifetime=week"], "'week' is no duration like 10m"),
        (["--wait=0s"], "'0s' is not between a second and ten years"),
        (["--lifetime=999999999999d"], "is not between a second and ten years"),
        (["--request=A_b"], "--request 'A_b' cannot name an object"),
        (["--mode=none"], "'none' is not one of 'auto', 'csr', 'own-ca'"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(tmp_path, words, told):
    """One line, exit code 2, and no cluster is asked."""
    done = run("issue", "--namespace=n", f"--kubeconfig={kubeconfig(tmp_path)}", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_outside_of_a_pod_the_namespace_must_be_said(tmp_path):
    """There is no own one."""
    done = run("issue", f"--kubeconfig={kubeconfig(tmp_path)}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "say where the objects are with --namespace" in done.stderr


def test_an_api_server_that_is_away_is_named(tmp_path):
    """Exit code 3 and one line."""
    done = run("renew", "--namespace=n", f"--kubeconfig={kubeconfig(tmp_path)}")
    assert done.returncode == 3
    assert done.stderr == (
        "apisnoop-certs: cannot reach the API server https://127.0.0.1:9: Connection refused; is it running, and to be "
        "reached from here?\n"
    )


def test_the_missing_extra_is_named():
    """Without its libraries the program says what to install."""
    program = "import sys; sys.modules['cryptography'] = None; from apisnoop_certs.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "apisnoop-certs: needs cryptography" in done.stderr
    assert "pip install 'apisnoop[certs]'" in done.stderr


def test_every_command_has_its_line_in_the_readme():
    """And every command of the README exists."""
    documented = set(re.findall(r"^\| `apisnoop-certs (\w+)`", README.read_text(), re.MULTILINE))
    assert documented == set(cli.commands)


def test_options_that_the_readme_names_exist():
    """A README that names an option nobody takes is worse than none."""
    real = {
        name
        for command in cli.commands.values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }
    assert set(re.findall(r"`(--[a-z-]+)", README.read_text())) <= real


def test_help_fits_on_a_screen():
    """Each command explains itself."""
    for name in cli.commands:
        answer = CliRunner().invoke(cli, [name, "--help"])
        assert answer.exit_code == 0
        assert len(answer.output.splitlines()) < 50


def kubeconfig(folder: Path) -> Path:
    """Write one that leads nowhere: nothing listens on the discard port."""
    path = folder / "kubeconfig"
    path.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}], users: [{name: u, user: {}}]}"
    )
    return path
