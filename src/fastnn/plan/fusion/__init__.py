"""Merge cheap operations into those beside them, by rewrites of the graph."""
