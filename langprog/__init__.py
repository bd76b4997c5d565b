"""Declare language programs, compile them against a metric, run the frozen artifact."""
