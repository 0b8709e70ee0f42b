"""How many descriptors a process may hold: agent and proxy hold some for each pod and two for each connection."""

import resource


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one, and return it; container runtimes often start programs with 1,024.

    That default is for programs that use select(), which nothing of ours does (https://0pointer.net/blog/file-descriptor-limits.html).
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
