"""Instructions: proposals grounded in program, data and runs, and the gate that they pass."""
