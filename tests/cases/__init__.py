"""The cases of every operation: of all modules here, but not the rows of `fastnn bench`."""

from importlib import import_module
from pkgutil import iter_modules

MODULES = [import_module(module.name) for module in sorted(iter_modules(__path__, f"{__name__}."))
           if module.name != f"{__name__}.benchmarks"]
CASES = [case for module in MODULES for case in getattr(module, "CASES", ())]
assert len({case.name for case in CASES}) == len(CASES), "two cases have one name"
