"""How results are shown: one renderer a module. Pure functions from coverage values to text.

Does not belong here: computing figures (coverage), reading stores, printing.
"""
