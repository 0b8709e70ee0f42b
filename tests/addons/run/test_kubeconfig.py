"""Finding, reading, merging and writing kubeconfigs."""

from pathlib import Path

import pytest
import yaml

from apisnoop.errors import ApisnoopError, UsageError
from apisnoop_addons.run.kubeconfig import (
    current_cluster,
    current_user,
    kubeconfig_paths,
    load_kubeconfig,
    merge_kubeconfigs,
    parse_kubeconfig,
    render_kubeconfig,
)

SIMPLE = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://c"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}, {name: y, context: {cluster: d, user: u}}]
current-context: x
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_kubeconfig_variable_the_one_in_the_home_folder_is_read():
    """kubectl's default is ~/.kube/config."""
    assert kubeconfig_paths({"HOME": "/home/ann"}) == [Path("/home/ann/.kube/config")]


def test_the_variable_lists_files_once_each_and_empty_names_are_skipped():
    """A leading, trailing or doubled colon means nothing, a name given twice is read once."""
    assert kubeconfig_paths({"KUBECONFIG": ":a:b::a:", "HOME": "/x"}) == [Path("a"), Path("b")]


def test_the_first_file_wins_for_each_entry_as_a_whole(tmp_path):
    """An entry of the same name in a later file adds nothing to the first one's, as kubectl has it."""
    first = write(tmp_path / "1", "clusters: [{name: c, cluster: {server: one}}]\ncurrent-context: ''")
    second = write(
        tmp_path / "2",
        "clusters: [{name: c, cluster: {server: two, proxy-url: p}}, {name: d, cluster: {server: three}}]\n"
        "current-context: second",
    )
    merged = load_kubeconfig({"KUBECONFIG": f"{first}:{tmp_path}/missing:{second}"})
    assert merged.clusters == {"c": {"server": "one"}, "d": {"server": "three"}}
    assert merged.current_context == "second"
    assert merged.origins == (first, second)


def test_other_keys_at_the_top_are_merged_too():
    """Preferences and extensions of the first file that has them stay."""
    merged = merge_kubeconfigs(
        [parse_kubeconfig("preferences: {colors: true}", Path("1")), parse_kubeconfig("preferences: {}", Path("2"))]
    )
    assert merged.other == {"preferences": {"colors": True}}


def test_relative_paths_start_at_the_folder_of_their_file(tmp_path):
    """Certificates, keys, token files and plugin commands with a slash are relative to the file, not to us."""
    text = """
    clusters: [{name: c, cluster: {certificate-authority: ca.crt, server: s}}]
    users:
    - {name: files, user: {client-certificate: u/c.crt, client-key: /abs/c.key, tokenFile: ../token}}
    - {name: path, user: {exec: {command: ./plugin, args: [a]}}}
    - {name: bare, user: {exec: {command: plugin}}}
    """
    read = parse_kubeconfig(text, tmp_path / "config")
    assert read.clusters["c"]["certificate-authority"] == f"{tmp_path}/ca.crt"
    assert read.users["files"] == {
        "client-certificate": f"{tmp_path}/u/c.crt",
        "client-key": "/abs/c.key",
        "tokenFile": f"{tmp_path}/../token",
    }
    assert read.users["path"]["exec"] == {"command": f"{tmp_path}/plugin", "args": ["a"]}
    assert read.users["bare"]["exec"] == {"command": "plugin"}


def test_a_context_can_be_chosen(tmp_path):
    """--context makes another context the current one."""
    path = write(tmp_path / "config", SIMPLE)
    chosen = load_kubeconfig({}, path, "y")
    assert (chosen.current_context, current_cluster(chosen), current_user(chosen)) == ("y", "d", "u")


def test_an_unknown_context_is_a_mistake_in_usage(tmp_path):
    """The message says which contexts there are."""
    path = write(tmp_path / "config", SIMPLE)
    with pytest.raises(UsageError, match=r"no context 'z' in the kubeconfig; it has: x, y"):
        load_kubeconfig({}, path, "z")


def test_no_kubeconfig_at_all_is_told_with_where_it_was_looked_for():
    """One line names the files and the option."""
    with pytest.raises(ApisnoopError, match=r"no kubeconfig: /nowhere/.kube/config not found; name one with"):
        load_kubeconfig({"HOME": "/nowhere"})


def test_in_a_pod_the_message_says_that_the_service_account_is_not_used():
    """There kubectl works without a kubeconfig, so a person needs to know why this does not."""
    with pytest.raises(ApisnoopError, match="service account is not used"):
        load_kubeconfig({"HOME": "/nowhere", "KUBERNETES_SERVICE_HOST": "10.0.0.1"})


def test_a_file_asked_for_by_name_must_exist():
    """--kubeconfig does not fall back on anything."""
    with pytest.raises(ApisnoopError, match="no kubeconfig: /nowhere/config not found"):
        load_kubeconfig({"HOME": "/nowhere"}, Path("/nowhere/config"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("- a", "holds no mapping"),
        ("clusters: {a: b}", "clusters is not a list"),
        ("users: [a]", "an item of users has no name"),
        ("contexts: [{name: a, context: b}]", "has no name or context"),
        ("users: [{name: a, user: {}}, {name: a, user: {}}]", "names user 'a' twice"),
    ],
)
def test_a_damaged_file_is_told_in_one_line(text, message):
    """The line names the file and what is wrong with it."""
    with pytest.raises(ApisnoopError, match=message) as told:
        parse_kubeconfig(text, Path("/k/config"))
    assert "/k/config" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    """A folder in place of a file is an error, not a missing file."""
    with pytest.raises(ApisnoopError, match="cannot be read"):
        load_kubeconfig({"KUBECONFIG": str(tmp_path)})


def test_what_is_written_reads_back_as_the_same():
    """Unknown keys, and scalars that YAML could take for something else, survive."""
    text = """
    preferences: {colors: true}
    clusters: [{name: c, cluster: {server: s, disable-compression: true, extensions: [{name: e, extension: {n: 7}}]}}]
    users: [{name: u, user: {token: 0123, password: 2024-01-01, username: 1e5, as: "yes"}}]
    contexts: [{name: x, context: {cluster: c, user: u, namespace: "null"}}]
    current-context: x
    """
    read = parse_kubeconfig(text, Path("/k/config"))
    again = parse_kubeconfig(render_kubeconfig(read), Path("/k/config"))
    assert (again.clusters, again.users, again.contexts) == (read.clusters, read.users, read.contexts)
    assert again.users["u"] == {"token": "0123", "password": "2024-01-01", "username": "1e5", "as": "yes"}
    assert again.clusters["c"]["extensions"][0]["extension"] == {"n": 7}
    assert again.other["preferences"] == {"colors": True}


def test_json_is_read_too():
    """A kubeconfig may be JSON."""
    read = parse_kubeconfig('{"clusters": [{"name": "c", "cluster": {"server": "https://c"}}]}', Path("c"))
    assert read.clusters == {"c": {"server": "https://c"}}


def test_what_is_written_is_plain_yaml():
    """Any program's YAML reader takes it."""
    document = yaml.safe_load(render_kubeconfig(parse_kubeconfig(SIMPLE, Path("c"))))
    assert (document["apiVersion"], document["kind"], document["current-context"]) == ("v1", "Config", "x")
