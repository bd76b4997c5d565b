"""Demonstrations from labels, from runs that the metric accepts, and sets of both."""
