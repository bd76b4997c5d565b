"""Which model each module asks."""
