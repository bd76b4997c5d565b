"""Budgets: dividing one, metering requests, and forecasting a search."""
