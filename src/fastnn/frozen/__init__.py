"""What a trace froze: values that code read from Python, and whether they changed since."""
