"""Budgets: how one is divided, what was requested of it, what a search will take."""
