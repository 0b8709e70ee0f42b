"""`apisnoop doctor`: what is wrong in the cluster, and what to do about it."""

from pathlib import Path

import click

from apisnoop.cli.namespaces import install_namespace_option, namespace_options
from apisnoop.errors import ExitCode


@click.command()
@namespace_options("Look at pods of all namespaces, which is the default.", "Look at pods of this namespace only.")
@install_namespace_option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(namespace: str | None, kubeconfig: Path | None, context: str | None, place: str | None, output: str) -> int:
    """Find what is wrong in the cluster, and the next command.

    Agents, proxies, certificate, webhook, and every pod that is asked for and not recorded. The exit code is 1 where
    there is something.
    """
    # The kubernetes client takes 0.3 s to import, which --help does without.
    from apisnoop.cli.cluster_objects import open_api  # noqa: PLC0415
    from apisnoop.cli.installation import look_at, look_deeper  # noqa: PLC0415
    from apisnoop.cli.report import terminal  # noqa: PLC0415
    from apisnoop.fleet.diagnosis import diagnose  # noqa: PLC0415
    from apisnoop.reports.findings_list import render_findings, render_findings_json  # noqa: PLC0415
    from apisnoop.reports.paint import Paint  # noqa: PLC0415
    from apisnoop.reports.wording import clean  # noqa: PLC0415

    api = open_api(kubeconfig, context)
    facts = look_deeper(api, look_at(api, namespace or None, place))
    findings = diagnose(facts)
    for line in facts.unreadable:
        click.echo(f"apisnoop: not looked at: {clean(line)}", err=True)
    if output == "json":
        click.echo(render_findings_json(findings), nl=False)
    elif findings:
        click.echo(render_findings(findings, Paint(terminal(None)[1])), nl=False, color=True)
    else:
        click.echo("Nothing is wrong." if not facts.unreadable else "Nothing is wrong in what may be looked at.")
    return ExitCode.FINDINGS if findings else ExitCode.OK
