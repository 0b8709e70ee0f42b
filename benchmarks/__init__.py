"""Benchmarks: each module measures one thing and returns rows; `scripts/bench` prints them.

Figures are medians of several runs. A peer, where there is one, runs in turn with ours, and the ratio is the figure.
"""
