"""Real clients through `apisnoop run` on the real test cluster: see README.md in this folder."""
