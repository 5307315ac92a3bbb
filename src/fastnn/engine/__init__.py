"""What ties a step together: from a module and arrays to a graph, a plan, a run and its results.

`trace` and `loss_graph` make graphs, `inputs` makes arrays, `compiled` runs a plan and `plan_cache`
keeps the last few. On these stand `train_step`, `value_and_grad` and `inference`; `micro_batches`
cuts a batch that does not fit a budget, and `gradient_accumulation` trains on what was cut.
"""
