"""Advice for a run that saw no call although its command may have made some: why that is, and what to do."""

from collections.abc import Mapping, Sequence

_OWN_WAY = {
    "--kubeconfig": "a kubeconfig of its own",
    "--server": "a server of its own",
    "-s": "a server of its own",
    "--kube-apiserver": "a server of its own",
}


def advise(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Say in one line why no call may have been seen and what to do about it."""
    program = command[0]
    for name in (argument.partition("=")[0] for argument in command[1:]):
        if what := _OWN_WAY.get(name):
            return (
                f"no call seen: {program} was given {what} ({name}), which goes before KUBECONFIG; "
                "take that away, and give `apisnoop run` the kubeconfig with --kubeconfig"
            )
    if "KUBERNETES_SERVICE_HOST" in environment:
        return (
            f"no call seen: {program} runs in a pod, where many programs take the pod's service account and do not "
            'look at KUBECONFIG; give it --kubeconfig "$KUBECONFIG", or try '
            f"`env -u KUBERNETES_SERVICE_HOST {program} ...`"
        )
    return (
        f"no call seen: {program} made none, or it does not read KUBECONFIG; "
        'many programs have an option for it: --kubeconfig "$KUBECONFIG"'
    )
