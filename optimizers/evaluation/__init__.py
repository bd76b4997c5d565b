"""Candidates, their scores on validation, and the Pareto front."""
