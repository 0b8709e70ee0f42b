"""The node agent as its program runs it, but with an API server on loopback that asks for no token, for
`benchmarks.agent`. Settings are environment variables; the server's address is the argument.
"""

import os
import sys

from apisnoop_tproxy import main  # noqa: F401 - as heavy as the program is
from apisnoop_tproxy.api import Access
from apisnoop_tproxy.nft import require_library
from apisnoop_tproxy.serve import serve_until_stopped
from apisnoop_tproxy.settings import read_settings

if __name__ == "__main__":
    require_library()
    serve_until_stopped(read_settings(os.environ), Access(sys.argv[1]))
