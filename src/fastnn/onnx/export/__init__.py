"""A traced model as an ONNX graph.

`traced.py` traces it for two sizes of the batch, `model.py` walks the nodes, and a translation for
each operation, by families in the other files (`table.py` finds them), emits ONNX nodes into a
`Builder` (`builder.py`).
"""
