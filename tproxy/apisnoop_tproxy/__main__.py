"""`python -m apisnoop_tproxy` is `apisnoop-tproxy`."""

from apisnoop_tproxy.main import main

main()
