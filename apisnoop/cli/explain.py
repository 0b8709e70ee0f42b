"""`apisnoop explain`: what any request is, one on the command line or one a line on stdin."""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from apisnoop.cli.options import kubeconfig_options, open_catalogue, spec_option
from apisnoop.coverage.resolution import class_of_finding
from apisnoop.errors import ExitCode
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.document import level_of
from apisnoop.operations.match import Finding, Match

STDIN = "-"


class Request(msgspec.Struct, frozen=True):
    """One request to explain."""

    method: str
    url: str
    content_type: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """What a request is; the keys of `-o json`, in this order. Empty strings stand for "none"."""

    method: str
    path: str
    operation: str
    verb: str
    detail: str
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    name: str
    kind: str
    level: str
    deprecated: bool
    reason: str


@click.command()
@click.argument("method")
@click.argument("url", required=False)
@click.option("--content-type", metavar="TYPE", default="", help="Of the request's body; it tells patches apart.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@spec_option
@kubeconfig_options
def explain(
    method: str,
    url: str | None,
    content_type: str,
    output: str,
    spec: str | None,
    kubeconfig: Path | None,
    context: str | None,
) -> int:
    """Tell what a request to the API server is.

    Give METHOD and URL, or - to read lines of METHOD URL from stdin; a third word of a line is the content type. With
    -o json there is one object a line.

    \b
    apisnoop explain GET /api/v1/namespaces/shop/pods?watch=true
    apisnoop explain --spec 1.34 - <requests.txt
    """
    catalogue = open_catalogue(spec, kubeconfig, context)
    if method == STDIN:
        if url is not None:
            raise click.UsageError(f"- reads requests from stdin; {url!r} is one too many")
        return _explain_lines(catalogue, sys.stdin.buffer, output)
    if url is None:
        raise click.UsageError(f"METHOD {method!r} lacks its URL, as in: explain GET /api/v1/pods")
    _answer(catalogue, Request(method, url, content_type), output)
    return ExitCode.OK


def explain_request(catalogue: Catalogue, request: Request) -> Explanation:
    """Hold a request against a catalogue. A URL may have scheme and host; the method may be lower case."""
    method = request.method.upper()
    url = path_of(request.url)
    match = catalogue.match(method, url, request.content_type)
    operation = match.operation
    return Explanation(
        method=method,
        path=url.partition("?")[0],
        operation=operation.id if operation else "",
        verb=match.verb,
        detail=match.detail,
        group=match.group,
        version=match.version,
        resource=match.resource,
        subresource=match.subresource,
        namespace=match.namespace,
        name=match.name,
        kind=operation.kind if operation else "",
        level=_level(match),
        deprecated=bool(operation and operation.deprecated),
        reason=reason_of(match),
    )


def _level(match: Match) -> str:
    """Give the level of what is, or was, an operation; of what nobody knows, a version tells nothing."""
    if match.operation:
        return match.operation.level.value
    return level_of(match.version).value if match.finding is Finding.REMOVED else ""


def reason_of(match: Match) -> str:
    """Say why a request is no operation, the class first; empty for an operation."""
    return f"{match.finding.value}: {match.reason}" if match.finding else ""


def reported_as(reason: str) -> str:
    """Say by which class reports name what is no operation: they know whether the server answered; empty for others."""
    if not reason:
        return ""
    finding = Finding(reason.partition(":")[0])
    refused, answered = class_of_finding(finding, answered=False), class_of_finding(finding, answered=True)
    if refused is None or answered is None:
        return "no finding"
    return refused if refused is answered else f"{refused}, or {answered} where the server answered without an error"


def path_of(url: str) -> str:
    """Take scheme, host and fragment off a URL."""
    url = url.partition("#")[0]
    scheme, separator, rest = url.partition("://")
    if not separator or "/" in scheme:
        return url
    return "/" + rest.partition("/")[2]


def parse_lines(lines: Iterable[bytes]) -> Iterator[Request | str]:
    """Read lines of METHOD URL [CONTENT-TYPE]; a bad one gives what is wrong with it, an empty one nothing."""
    for number, line in enumerate(lines, start=1):
        words = line.decode("utf-8", "replace").split()
        if not words:
            continue
        if len(words) not in {2, 3} or ("/" not in words[1][:1] and "://" not in words[1]):
            yield f"line {number}: expected METHOD URL, as in GET /api/v1/pods, got {_shorten(' '.join(words))}"
        else:
            yield Request(*words)


def _explain_lines(catalogue: Catalogue, lines: Iterable[bytes], output: str) -> int:
    bad = 0
    for request in parse_lines(lines):
        if isinstance(request, str):
            bad += 1
            click.echo(f"apisnoop: {request}", err=True)
            continue
        _answer(catalogue, request, output)
    return ExitCode.USAGE if bad else ExitCode.OK


def _answer(catalogue: Catalogue, request: Request, output: str) -> None:
    explanation = explain_request(catalogue, request)
    text = msgspec.json.encode(explanation).decode() if output == "json" else render_text(explanation, request.url)
    sys.stdout.write(f"{text}\n")
    if hint := hint_on(request.url):
        click.echo(f"apisnoop: {_shorten(request.url)}: {hint}", err=True)


def hint_on(url: str) -> str:
    """Say what is probably a slip in a URL, and what was meant; empty where nothing is."""
    path = path_of(url).partition("?")[0]
    if path and not path.startswith("/"):
        first = path.partition("/")[0]
        meant = f"https://{url}" if set(first) & {".", ":"} else f"/{url}"
        return f"it does not begin with a slash; did you mean {_shorten(meant)}?"
    if "//" in path:
        meant = re.sub("/{2,}", "/", path)
        return f"the server takes a double slash for an empty name between; did you mean {_shorten(meant)}?"
    return ""


def render_text(explanation: Explanation, url: str) -> str:
    """Write an explanation of `url` for people: what is there, one thing a line; unprintable characters are escaped."""
    known = msgspec.structs.asdict(explanation)
    del known["path"]
    head = f"{_shorten(known.pop('method'))} {_shorten(path_of(url))}"
    known["deprecated"] = "yes" if explanation.deprecated else ""
    known["reported as"] = reported_as(explanation.reason)
    lines = [f"  {key:<12}{_shorten(value)}" for key, value in known.items() if value]
    return "\n".join([head, *lines, ""])


def _shorten(text: str, longest: int = 500) -> str:
    """Make text safe for a terminal."""
    shown = text if text.isprintable() else text.encode("unicode_escape").decode()
    return shown if len(shown) <= longest else f"{shown[:longest]}… ({len(text):,} characters)"
