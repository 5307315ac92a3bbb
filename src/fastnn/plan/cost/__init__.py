"""Predict how long nodes take on this machine."""
