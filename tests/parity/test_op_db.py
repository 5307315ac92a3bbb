"""A share of PyTorch's own samples of each operation; all of them: python -m tests.parity.op_db."""

import pytest

from tests.parity import op_db

pytest.importorskip("expecttest", reason="PyTorch's samples need it: pip install expecttest")
pytestmark = pytest.mark.parity
SHARE = 8  # each 8th sample


@pytest.mark.parametrize("label", op_db.LABELS)
def test_samples(label):
    outcome = op_db.measure(label, SHARE)
    wrong = [said for said in outcome.failed if said.startswith("WRONG")]
    assert not wrong, "\n".join(wrong)
    if label not in op_db.REFUSED:
        assert not outcome.failed, "\n".join(outcome.failed)
