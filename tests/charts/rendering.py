"""The chart as Helm renders it without a cluster, in each mode, and where things are in that."""

import subprocess
from functools import cache
from pathlib import Path

import yaml

from cluster import binaries

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "charts" / "apisnoop"
GOLDEN = Path(__file__).parent / "golden"
MODES = {
    "default": (),
    "csr": ("certificate.mode=csr", "certificate.addresses[0]=10.96.0.1", "certificate.addresses[1]=fd00:10:96::1"),
    "own-ca": ("certificate.mode=own-ca",),
    "manual-renewal": ("certificate.renewal=manual",),
    "without-webhook": ("webhook.enabled=false",),
    "cert-manager": ("webhook.certManager.enabled=true",),
    "network-policy": ("networkPolicy.enabled=true", "metrics.enabled=true"),
    "service-monitor": ("metrics.enabled=true", "metrics.serviceMonitor.enabled=true", "metrics.address=::"),
    "scripts": ("addons.scripts.mark\\.py=def requestheaders(flow): pass",),
    # A Secret of one's own: the chart's has a random password.
    "mitmweb": ("mitmweb.enabled=true", "mitmweb.bodies=true", "mitmweb.existingSecret=viewer"),
    "init": ("interception.mode=init", "recording.extraDestinations[0]=10.0.0.1:443", "networkPolicy.enabled=true"),
    "digests": (f"image.core.digest=sha256:{'a' * 64}", f"image.proxy.digest=sha256:{'b' * 64}"),
}


def helm(*arguments):
    """Run helm, without a cluster."""
    program = binaries.build(binaries.HELM) / "helm"
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


@cache
def rendered(settings=()):
    """Render the chart as text."""
    given = [f"--set={setting}" for setting in settings]
    answer = helm("template", "apisnoop", CHART, "--namespace=apisnoop", "--kube-version=1.30.0", *given)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def objects(settings=()):
    """Render the chart as objects."""
    return [thing for thing in yaml.load_all(rendered(settings), yaml.CSafeLoader) if thing]


def find(things, kind, name):
    """Find an object."""
    return next(one for one in things if one["kind"] == kind and one["metadata"]["name"] == name)


def pod_specs(things, count=5):
    """Give every pod that the objects make, by the name of its maker."""
    specs = {}
    for thing in things:
        job = thing["spec"]["jobTemplate"] if thing["kind"] == "CronJob" else thing
        template = thing if thing["kind"] == "Pod" else job.get("spec", {}).get("template")
        if template:
            specs[thing["metadata"]["name"]] = template["spec"]
    assert len(specs) == count
    return specs


def sources(volume):
    """Give what a volume projects."""
    return volume.get("projected", {}).get("sources", [])


def mounting(spec, key):
    """Name the containers of a pod that mount a Secret with that key in it."""
    volumes = {
        volume["name"]
        for volume in spec["volumes"]
        if "secret" in volume and key in {item["key"] for item in volume["secret"]["items"]}
    }
    return {one["name"] for one in spec["containers"] for mount in one["volumeMounts"] if mount["name"] in volumes}
