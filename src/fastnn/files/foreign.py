"""Identify files that are not safetensors by their first bytes, for error messages."""

from __future__ import annotations

import re
from collections.abc import Callable

from fastnn.files.pth import is_pth

HEAD_BYTES = 4096  # enough for all marks below

TORCH = ("a PyTorch file: fn.load reads its weights into a model; a training to go on with is a "
         "checkpoint of Trainer.save")


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(marks)


def _zip_with(name: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(b"PK\x03\x04") and name in head


def _text(pattern: bytes) -> Callable[[bytes], bool]:
    text = re.compile(rb"(\xef\xbb\xbf)?\s*" + pattern, re.IGNORECASE)
    return lambda head: text.match(head) is not None


KINDS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (lambda head: head == b"", "an empty file"),
    (is_pth, TORCH),
    (_zip_with(b".npy"), "an .npz file of NumPy: load it with numpy.load and call "
                         "model.load_state_dict"),
    (_zip_with(b""), "a zip file: unpack it first"),
    (lambda head: head[257:262] == b"ustar", "a tar archive: unpack it first"),
    (_starts(b"\x1f\x8b"), "a gzip file: unpack it first"),
    (_starts(b"\x93NUMPY"), "an .npy file: a single array has no names"),
    (_starts(b"\x89HDF\r\n\x1a\n"), "an HDF5 file (Keras writes those): read it with h5py and call "
                                    "model.load_state_dict"),
    (_starts(b"GGUF"), "a GGUF file, which no net here can use"),
    (_starts(b"version https://git-lfs"), "a pointer of Git LFS, not the weights themselves: run "
                                          "git lfs pull in its repository"),
    (_text(rb"<(!doctype|html|head|\?xml|script)"), "a web page: the download went wrong, fetch "
                                                    "the file itself"),
    (_text(rb'[{\[]\s*["{\[\]}]'), "JSON text, not weights: name the .safetensors file itself"),
    # But not a damaged safetensors header of 640 to 1408 bytes, which begins like that too.
    (lambda head: re.match(rb"\x80[\x02-\x05]", head) is not None and head[8:9] != b"{",
     "a pickle that torch.save did not write, which can run any code: it is never opened here"),
    # ONNX: the version of its format, then who made it, as fields 1 and 2 of a protocol buffer.
    (lambda head: re.match(rb"\x08[\x01-\x1f]\x12", head) is not None,
     "an ONNX model: it holds a graph, and weights by other names"),
)


def describe(head: bytes) -> str | None:
    """What a file is by its first bytes, and what to do about it; None if unknown.

    >>> describe(b"<!DOCTYPE html><html>")
    'a web page: the download went wrong, fetch the file itself'
    """
    for is_kind, words in KINDS:
        if is_kind(head):
            return words
    return None
