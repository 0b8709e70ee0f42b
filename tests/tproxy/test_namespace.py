"""Entering a network namespace, and coming back whatever happens there."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apisnoop_tproxy.namespace import in_namespace

HERE = Path("/proc/thread-self/ns/net")
LOST = """
import ctypes, os
from apisnoop_tproxy.namespace import in_namespace

def give_up():
    ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())

in_namespace(os.open({path!r}, os.O_RDONLY), give_up)
print("went on")
"""


def inode():
    return HERE.stat().st_ino


def test_work_is_done_there_and_others_notice_nothing(podlike):
    here, there = inode(), os.fstat(podlike.namespace).st_ino
    with ThreadPoolExecutor(1) as others:
        others.submit(inode).result()  # a thread that is started inside would stay there
        seen = in_namespace(podlike.namespace, lambda: (inode(), others.submit(inode).result()))
    assert (seen, inode()) == ((there, here), here)


def test_one_comes_back_when_work_fails(podlike):
    here = inode()
    with pytest.raises(ZeroDivisionError):
        in_namespace(podlike.namespace, lambda: 1 / 0)
    assert inode() == here


def test_what_is_no_namespace_is_refused(tmp_path):
    here = inode()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(OSError, match="Invalid argument"):
        in_namespace(descriptor, lambda: pytest.fail("it was entered"))
    os.close(descriptor)
    assert inode() == here


def test_who_cannot_come_back_does_nothing_more(podlike):
    """The process ends: in the pod's namespace it would reach what the pod reaches."""
    program = LOST.format(path=f"/proc/{os.getpid()}/fd/{podlike.namespace}")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot come back from a pod's network namespace: Operation not permitted" in done.stderr
    assert done.stdout == ""
