"""What the tallies mean: coverage, gaps, comparison, least-privilege roles, gates. Pure functions from store rows to values.

Does not belong here: how they are shown (reports).
"""
