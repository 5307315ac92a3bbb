"""Random state: seeds, keys, streams."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.runtime import random


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "1", None])
def test_seeds_are_64_bits(seed):
    with pytest.raises(ValueError, match="seed"):
        fn.manual_seed(seed)


def test_a_seed_sets_everything():
    fn.manual_seed(2**64 - 1)
    assert list(random.KEY) == [2**64 - 1, 0]
    first = random.generator().random()
    random.next_step()
    assert list(random.KEY) == [2**64 - 1, 1]
    fn.manual_seed(np.int64(5))
    assert list(random.KEY) == [5, 0] and random.generator().random() != first


def test_state_round_trip_through_json():
    import json

    fn.manual_seed(9)
    random.next_step()
    random.generator().random(7)
    state = json.loads(json.dumps(fn.get_rng_state()))
    expected = random.generator().random(3), list(random.KEY)
    random.next_step()
    fn.set_rng_state(state)
    np.testing.assert_array_equal(random.generator().random(3), expected[0])
    assert list(random.KEY) == expected[1]


def test_streams_count_from_0_in_each_graph():
    for _ in range(2):
        with random.streams():
            assert [random.new_stream() for _ in range(3)] == [0, 1, 2]
            with random.streams():
                assert random.new_stream() == 3
            assert random.new_stream() == 4
    assert random.new_stream() == random.new_stream() == 0


def _masks(steps=1):
    model = fn.nn.Sequential(fn.nn.Dropout(0.5), fn.nn.Dropout(0.5))
    return [model(np.ones((8, 64), np.float32)) for _ in range(steps)]


def test_masks_depend_on_seed_step_and_layer():
    fn.manual_seed(1)
    first, second = _masks(2)
    assert not np.array_equal(first, second)
    fn.manual_seed(1)
    np.testing.assert_array_equal(_masks()[0], first)
    fn.manual_seed(2)
    assert not np.array_equal(_masks()[0], first)
    # Two layers with one mask would keep a half instead of a quarter.
    assert (first != 0).mean() == pytest.approx(0.25, abs=0.08)
