"""A share of PyTorch's own samples of each module; all: python -m tests.parity.module_db."""

import pytest

from tests.parity import module_db

pytest.importorskip("expecttest", reason="PyTorch's samples need it: pip install expecttest")
pytestmark = pytest.mark.parity
SHARE = 5  # each 5th sample
LABELS = [entry.name.removeprefix("nn.") for entry in module_db.entries()]
REFUSED = ("BatchNorm1d", "BatchNorm2d")  # batches without examples, in words


@pytest.mark.parametrize("label", LABELS)
def test_samples(label):
    outcome = module_db.measure([label], SHARE)[label]
    assert outcome.total
    refused = [said for said in outcome.failed
               if label in REFUSED and "(0, " in said and "WRONG" not in said]
    assert outcome.failed == refused, "\n".join(outcome.failed)
