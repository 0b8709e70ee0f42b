"""The limit of descriptors."""

import subprocess
import sys

PROGRAM = """
import os, resource
from apisnoop.node.descriptors import raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 300))
assert raise_descriptor_limit() == 300
print(len([os.open("/dev/null", os.O_RDONLY) for _ in range(200)]))
"""


def test_more_descriptors_may_be_held_than_a_program_is_started_with():
    """As many as the hard limit allows."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "200\n"
