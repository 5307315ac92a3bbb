"""The engine: from a module and arrays to a graph, a plan, a run and its results.

`trace` and `loss_graph` make graphs, `inputs` converts arrays, `compiled` runs a plan, `plan_cache`
keeps the last few. `train_step`, `value_and_grad` and `inference` build on these. `micro_batches`
splits a batch that does not fit a budget, and `gradient_accumulation` trains on the micro-batches.
"""
