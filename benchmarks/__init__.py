"""Benchmarks: each module measures one thing and returns rows; `scripts/bench` prints them.

Figures are medians of several runs. Where a peer exists it runs in turn with ours, in the same run, and the ratio is the figure.
"""
