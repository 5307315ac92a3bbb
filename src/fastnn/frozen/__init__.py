"""Values that a trace froze: what code read from Python, and whether it has changed since."""
