"""How often the intervals of ``langprog.estimation`` hold on recorded data, and how wide they are.

Usage: python -m benchmarks.estimates [judges ...] [--draws 1000] [--keep FILE]

Each measurement is a section of ``results/estimates.md``. Finished lines are kept in FILE, so that
a stopped run can be resumed.
"""
