"""Many random cases with one demand: no crash, no hang, no unrelated traceback, nothing lost.

`.ci/nightly` runs them in numbers; `test_samples.py` a few of each with every run of the tests.
"""
