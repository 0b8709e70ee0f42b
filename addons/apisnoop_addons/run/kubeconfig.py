"""Kubeconfigs: find, read and merge them as kubectl does, and write one that points somewhere else.

Not here: what a cluster entry means (`servers`), credentials (`credentials`, `exec_plugin`). Entries stay plain
dictionaries with the file's own keys, so that what we do not know passes through unchanged.

Rules of merging: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError, UsageError

type Entry = Mapping[str, Any]
"""A cluster, user or context as the file has it, relative paths already absolute."""

# List in the file, and the key below each of its items.
_LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """One kubeconfig, or several merged."""

    clusters: Mapping[str, Entry] = field(default_factory=dict)
    users: Mapping[str, Entry] = field(default_factory=dict)
    contexts: Mapping[str, Entry] = field(default_factory=dict)
    current_context: str = ""
    other: Mapping[str, Any] = field(default_factory=dict)
    """Every other key at the top of the file: preferences, extensions."""
    origins: tuple[Path, ...] = ()
    """The files this was read from, the strongest first."""


def load_kubeconfig(
    environment: Mapping[str, str], explicit: Path | None = None, context: str | None = None
) -> Kubeconfig:
    """Read what kubectl would read: the file asked for, else those of KUBECONFIG, else ~/.kube/config.

    `context` replaces the current context. Raises ApisnoopError where there is none or one cannot be read,
    UsageError for an unknown context.
    """
    paths = [explicit] if explicit else kubeconfig_paths(environment)
    found = [parse_kubeconfig(text, path) for path, text in _read_all(paths, required=explicit is not None)]
    if not found:
        raise ApisnoopError(_not_found(paths, in_pod="KUBERNETES_SERVICE_HOST" in environment))
    return with_context(merge_kubeconfigs(found), context)


def kubeconfig_paths(environment: Mapping[str, str]) -> list[Path]:
    """Return the files kubectl would look for, the strongest first."""
    if listed := environment.get("KUBECONFIG", ""):
        return [Path(path) for path in dict.fromkeys(listed.split(":")) if path]
    return [Path(environment.get("HOME") or Path.home()) / ".kube" / "config"]


def parse_kubeconfig(text: str, path: Path) -> Kubeconfig:
    """Read one file's text (YAML or JSON); `path` is where relative paths in it start, and is named in errors."""
    try:
        document = yaml.load(text, Loader=_Loader) or {}  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ApisnoopError(f"kubeconfig {path} is not YAML ({cause_of(error)}); correct the file") from None
    if not isinstance(document, dict):
        raise ApisnoopError(f"kubeconfig {path} holds no mapping; it should start with 'kind: Config'")
    entries = {name: _named(document.get(name), name, path) for name in _LISTS}
    base = path.absolute().parent
    return Kubeconfig(
        clusters=_absolute(entries["clusters"], base, _cluster_paths),
        users=_absolute(entries["users"], base, _user_paths),
        contexts=entries["contexts"],
        current_context=str(document.get("current-context") or ""),
        other={key: value for key, value in document.items() if key not in {*_LISTS, "current-context"}},
        origins=(path,),
    )


def merge_kubeconfigs(found: Iterable[Kubeconfig]) -> Kubeconfig:
    """Merge, the first file winning for each named entry as a whole and for each other key."""
    merged = Kubeconfig()
    for weaker in found:
        merged = Kubeconfig(
            clusters={**weaker.clusters, **merged.clusters},
            users={**weaker.users, **merged.users},
            contexts={**weaker.contexts, **merged.contexts},
            current_context=merged.current_context or weaker.current_context,
            other={**weaker.other, **merged.other},
            origins=(*merged.origins, *weaker.origins),
        )
    return merged


def with_context(kubeconfig: Kubeconfig, context: str | None) -> Kubeconfig:
    """Make `context` the current one; None changes nothing. Raises UsageError for one that does not exist."""
    if context is None:
        return kubeconfig
    if context not in kubeconfig.contexts:
        known = ", ".join(sorted(kubeconfig.contexts)) or "none"
        raise UsageError(f"no context {context!r} in the kubeconfig; it has: {known}")
    return replace(kubeconfig, current_context=context)


def current_cluster(kubeconfig: Kubeconfig) -> str:
    """Return the name of the current context's cluster, or an empty string."""
    return str(kubeconfig.contexts.get(kubeconfig.current_context, {}).get("cluster") or "")


def current_user(kubeconfig: Kubeconfig) -> str:
    """Return the name of the current context's user, or an empty string."""
    return str(kubeconfig.contexts.get(kubeconfig.current_context, {}).get("user") or "")


def render_kubeconfig(kubeconfig: Kubeconfig) -> str:
    """Return the kubeconfig as the text of a file."""
    document: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", **kubeconfig.other}
    for name, key in _LISTS.items():
        entries: Mapping[str, Entry] = getattr(kubeconfig, name)
        document[name] = [{"name": entry, key: dict(value)} for entry, value in entries.items()]
    document["current-context"] = kubeconfig.current_context
    return yaml.dump(document, Dumper=_SafeDumper, sort_keys=False, allow_unicode=True, width=2**20)


def _read_all(paths: Sequence[Path], *, required: bool) -> Iterable[tuple[Path, str]]:
    for path in paths:
        try:
            yield path, path.read_text()
        except FileNotFoundError:
            if required:
                raise ApisnoopError(_not_found([path], in_pod=False)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ApisnoopError(f"kubeconfig {path} cannot be read ({cause_of(error)}); check the file") from None


def _not_found(paths: Sequence[Path], *, in_pod: bool) -> str:
    message = f"no kubeconfig: {', '.join(map(str, paths))} not found; name one with --kubeconfig FILE or KUBECONFIG"
    # There kubectl would take the service account's files, whose certificate authority is not ours to replace.
    return f"{message} (the pod's service account is not used: write a kubeconfig for it)" if in_pod else message


def _named(items: object, name: str, path: Path) -> dict[str, Entry]:
    if not isinstance(items, list | None):
        raise ApisnoopError(f"kubeconfig {path}: {name} is not a list; correct the file")
    entries: dict[str, Entry] = {}
    for item in items or []:
        value = item.get(_LISTS[name]) if isinstance(item, dict) else None
        if not isinstance(item, dict) or "name" not in item or not isinstance(value, dict | None):
            raise ApisnoopError(f"kubeconfig {path}: an item of {name} has no name or {_LISTS[name]}; correct it")
        if item["name"] in entries:
            raise ApisnoopError(f"kubeconfig {path} names {_LISTS[name]} {item['name']!r} twice; remove one")
        entries[str(item["name"])] = value or {}
    return entries


def _absolute(entries: Mapping[str, Entry], base: Path, paths_of: Callable[[Entry, Path], Entry]) -> dict[str, Entry]:
    return {name: {**entry, **paths_of(entry, base)} for name, entry in entries.items()}


def _cluster_paths(cluster: Entry, base: Path) -> Entry:
    return _joined(cluster, base, "certificate-authority")


def _user_paths(user: Entry, base: Path) -> Entry:
    paths = _joined(user, base, "client-certificate", "client-key", "tokenFile")
    plugin = user.get("exec")
    # A bare name is looked up in PATH; anything with a slash is a path.
    if isinstance(plugin, dict) and "/" in str(plugin.get("command", "")):
        paths["exec"] = {**plugin, **_joined(plugin, base, "command")}
    return paths


def _joined(entry: Entry, base: Path, *keys: str) -> dict[str, Any]:
    return {key: str(base / entry[key]) for key in keys if entry.get(key)}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


# libyaml where PyYAML was built with it: kubeconfigs of a hundred clusters are read ten times faster.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_SafeLoader):  # type: ignore[misc, valid-type]  # the base is chosen at run time
    """Reads a number or date only where writing it gives the same text: a token may look like 0123 or 2024-01-01."""


def _canonical(parse: Callable[[str], object]) -> Callable[[yaml.SafeLoader, yaml.ScalarNode], object]:
    def construct(_: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
        text = str(node.value)
        try:
            value = parse(text)
        except ValueError:
            return text
        return value if str(value) == text else text

    return construct


_Loader.add_constructor("tag:yaml.org,2002:int", _canonical(int))
_Loader.add_constructor("tag:yaml.org,2002:float", _canonical(float))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _canonical(str))
