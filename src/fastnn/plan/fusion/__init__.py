"""Fusion: merge cheap operations into their neighbours by rewriting the graph."""
