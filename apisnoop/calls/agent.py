"""What a user agent says of the program: name, version, component and, for an e2e run, the test.

Client-go writes `name/version (os/arch) kubernetes/commit[/component]`, the e2e suite adds ` -- test name`; other
clients write `name/version` followed by anything. What does not follow is left empty. Everything is cut to a length.
"""

import re
from typing import NamedTuple

LONGEST = 100
LONGEST_TEST = 400
_COMPONENT = re.compile(r" kubernetes/[^/\s]+/(\S+)")


class Agent(NamedTuple):
    """A user agent taken apart; empty strings stand for what it does not tell."""

    client: str
    client_version: str
    component: str
    test: str


def parse_agent(text: str) -> Agent:
    """Take a user agent apart."""
    program, _, test = text[: LONGEST_TEST * 4].partition(" -- ")
    product = program.partition(" ")[0]
    client, _, version = product.partition("/")
    version, _, rest = version.partition("/")
    if not client:
        client, version, rest = product, "", ""
    found = _COMPONENT.search(program)
    component = found.group(1) if found else rest
    return Agent(_clean(client), _clean(version), _clean(component), _clean(test, LONGEST_TEST))


def _clean(text: str, longest: int = LONGEST) -> str:
    """Cut to a length and drop what a terminal would obey."""
    text = text.strip()[:longest]
    return text if text.isprintable() else "".join(character for character in text if character.isprintable())
