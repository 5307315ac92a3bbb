"""Labels and class numbers, beside scikit-learn's encoder."""

import numpy as np
import pytest
from sklearn.preprocessing import LabelEncoder as Peer

from fastnn.data import LabelEncoder
from fastnn.data.labels import are_texts

WORDS = ["dog", "cat", "cow", "cat", "Äpfel", "dog"]


@pytest.mark.parametrize("labels", [
    WORDS, np.array(WORDS), np.array(WORDS, object), [3, -1, 7, 3], [0.5, 0.25], [True, False]])
def test_classes_and_numbers_are_those_of_scikit_learn(labels):
    encoder, peer = LabelEncoder(), Peer()
    numbers = encoder.fit_transform(labels)
    assert numbers.tolist() == peer.fit_transform(labels).tolist() and numbers.dtype == np.int64
    assert encoder.classes_.tolist() == peer.classes_.tolist()
    assert encoder.inverse_transform(numbers).tolist() == list(labels)


def test_bytes_are_texts():
    encoder = LabelEncoder().fit(WORDS)
    coded = np.array([word.encode() for word in WORDS])
    assert encoder.transform(coded).tolist() == encoder.transform(WORDS).tolist()


def test_a_longer_label_than_any_fitted_is_unknown():
    encoder = LabelEncoder().fit(["a", "b"])
    with pytest.raises(ValueError, match=r"label 'bb' \(example 1\), expected one of 'a', 'b'"):
        encoder.transform(["a", "bb"])
    with pytest.raises(ValueError, match=r"'e', \.\.\. \(6 in all\)"):
        LabelEncoder().fit(list("abcdef")).transform(["x"])


@pytest.mark.parametrize(("labels", "error", "message"), [
    ([], ValueError, r"shape \(0,\)"), ([["a"], ["b"]], ValueError, r"\(2, 1\).*y.ravel\(\)"),
    (np.array(["a", None], object), TypeError, r"str \(example 0\), NoneType \(example 1\)"),
    ([1.0, np.nan], ValueError, "NaN, at example 1"), ([1j], TypeError, "complex128"),
    (np.array([{}, {}], object), TypeError, "labels of dict"), ("text", ValueError, r"shape \(\)"),
])
def test_what_is_no_label(labels, error, message):
    with pytest.raises(error, match=message):
        LabelEncoder().fit(labels)


def test_order_of_calls_and_kinds():
    with pytest.raises(ValueError, match="call fit before"):
        LabelEncoder().transform(["a"])
    encoder = LabelEncoder().fit(["a", "b"])
    with pytest.raises(TypeError, match="int64, expected those of 'a', 'b'"):
        encoder.transform([0, 1])
    for wrong in ([0, 2], [-1], [0.5], [[0]]):
        with pytest.raises(ValueError, match="class numbers"):
            encoder.inverse_transform(wrong)


def test_texts_are_known_by_the_first():
    assert are_texts(WORDS) and are_texts(np.array(WORDS, object)) and are_texts([b"a"])
    for others in ([], np.empty(0, str), "abc", 3, [1], np.zeros(3), (1, 2), None):
        assert not are_texts(others)
