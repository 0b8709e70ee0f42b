"""What the tallies mean: coverage, gaps, comparison, least-privilege roles, gates. From store rows to plain values.

Does not belong here: how they are shown (reports).
"""
