"""Why something failed, in words for a person: what the system said, without numbers, classes and repeated names.

Messages that pass on a failure of the operating system, the network or a parser take their words from here; the object,
its value and the next step are the caller's to add. It imports nothing, so that whoever fails can use it. Only the
stand-in for credential plugins does without, which imports nothing of this project at all.
"""

import errno
import os
import sys

OWN = {
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of its path is no folder",
}
"""By error number, where the words of the system leave open what is meant."""


def cause_of(error: BaseException) -> str:
    """Give the innermost cause of a failure in one line: clients wrap what the system said in words of their own."""
    inner = _inner(error)
    if inner is not None:
        return cause_of(inner)
    return " ".join(_words(error).split()) or type(error).__name__


def printable(text: str) -> str:
    """Keep a message on one line and harmless: names that people give may hold anything, escaped as in Python."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _inner(error: BaseException) -> BaseException | None:
    """Give what a failure was made of, if that says more: a system's own error is not looked behind."""
    if isinstance(error, OSError) and error.errno:
        return None
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException) and reason is not error:
        return reason
    inner = error.__cause__ or error.__context__
    return inner if isinstance(inner, OSError) and inner is not error else None


def _words(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is no UTF-8 text"
    if hasattr(error, "problem_mark"):
        return _yaml_words(error)
    if isinstance(error, OSError):
        return _system_words(error)
    return str(error)


def _system_words(error: OSError) -> str:
    if _is_of_tls(error):
        return _tls_words(error)
    # Known by their attributes: http and urllib take longer to import than most commands run.
    reason = getattr(error, "reason", "")
    if isinstance(error, TimeoutError) and not error.errno:
        return "timed out"
    if code := getattr(error, "code", 0):
        return f"the server answered {code} {reason}"
    number = error.errno or 0
    if number in OWN:
        return OWN[number]
    # Of a name that cannot be looked up the number is negative, and not one of the system's.
    return os.strerror(number) if number > 0 else str(error.strerror or reason or error)


def _is_of_tls(error: OSError) -> bool:
    """Tell whether a failure is an ssl.SSLError, which nothing can be where that module was never imported."""
    ssl = sys.modules.get("ssl")
    return ssl is not None and isinstance(error, ssl.SSLError)


def _tls_words(error: OSError) -> str:
    """Give what OpenSSL stumbled over; its numbers are its own, for which the system has other words."""
    if told := getattr(error, "verify_message", ""):
        return f"its certificate cannot be verified: {told}"
    if getattr(error, "library", "") and (reason := getattr(error, "reason", "")):
        return f"TLS failed: {str(reason).lower().replace('_', ' ')}"
    return f"TLS failed: {str(error).partition(' (_ssl.c:')[0]}"


def _yaml_words(error: BaseException) -> str:
    """Give what PyYAML stumbled over and where, which it tells over many lines with a drawing."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "it is no YAML")
    if problem.startswith("but "):
        problem = f"{getattr(error, 'context', '')}, {problem}"
    return f"{problem} in line {mark.line + 1}" if mark else problem
