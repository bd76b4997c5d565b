"""Instructions: proposals grounded in program, data and runs, and the filter they must pass."""
