"""`python -m apisnoop_webhook`."""

from apisnoop_webhook.main import main

main()
