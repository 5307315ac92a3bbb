"""A reader of pickles that runs nothing: numbers, texts, containers, and what the caller allows.

A pickle is a program for a machine with a stack: most instructions push a value or gather values
into a list, tuple or dict; three of them look up a name in a module and call it, and a file that
uses those may do anything. Here a name is looked up in a table of the caller's alone. One that is
not in it ends the reading, with an error that says what the file wanted to run.

Source: CPython, Lib/pickletools.py, describes every instruction; protocols 0 to 5.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Mapping
from typing import Any, BinaryIO

MOST_STEPS = 4_000_000  # a state dict of a hundred thousand tensors takes as many
MOST_TEXT = 1 << 20  # bytes of one text or number
MOST_LINE = 10_000
MARK = object()

Make = Callable[..., Any]


class Named:
    """A name that a pickle looked up. make: what stands for it here; None if it is only named."""

    def __init__(self, name: str, make: Make | None) -> None:
        self.name, self.make = name, make


class Built:
    """Base of values that take a state after they are made (the instruction BUILD)."""

    def build(self, state: Any) -> None:
        """Take the state, or leave it aside."""
        raise NotImplementedError


class PickleError(ValueError):
    """A pickle is damaged, or wants what it may not."""


class Pickles:
    """Reads the pickles of a stream, one after the other.

    stream: its place is behind a pickle once that is read. room: how many bytes there are from its
    place on. names: what may be looked up, "module.name" to a function or None. persistent: makes
    a value of what the file calls persistent, as tensors' memory is.
    """

    def __init__(
        self, stream: BinaryIO, room: int, names: Mapping[str, Make | None],
        persistent: Callable[[Any], Any],
    ) -> None:
        self.stream, self.room, self.names, self.persistent = stream, room, names, persistent
        self.steps = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def read(self) -> Any:
        """The next pickle's value. Raises PickleError."""
        self.stack, self.memo = [], {}
        while (code := self.take(1)) != b".":
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise PickleError(f"it takes more than {MOST_STEPS} steps to read")
            act = ACTS.get(code)
            if act is None:
                raise PickleError(f"it has the unknown instruction {code!r}")
            act(self)
        value = self.pop()
        if self.stack:
            raise PickleError("it ends before all of it is put together")
        return value

    # Bytes.

    def take(self, size: int) -> bytes:
        """The next bytes; an error if there are not so many, before any memory is taken."""
        if size > self.room:
            raise PickleError(f"it ends {size - self.room} bytes too early")
        self.room -= size
        content = self.stream.read(size)
        if len(content) != size:
            raise PickleError("it was cut short meanwhile")
        return content

    def number(self, form: str) -> Any:
        """The next number, in the form that `struct` names."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def counted(self, form: str) -> bytes:
        """Bytes behind a number that says how many."""
        size = self.number(form)
        if not 0 <= size <= MOST_TEXT:
            raise PickleError(f"it has a text of {size} bytes, expected {MOST_TEXT} at most")
        return self.take(size)

    def line(self) -> str:
        """The text up to the end of the line."""
        content = self.stream.readline(min(self.room, MOST_LINE))
        self.room -= len(content)
        if not content.endswith(b"\n"):
            raise PickleError("it has a line without an end")
        return content[:-1].decode("latin1")

    # The stack.

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        """What was pushed last; never a mark."""
        if not self.stack or self.stack[-1] is MARK:
            raise PickleError("it takes a value that is not there")
        return self.stack.pop()

    def to_mark(self) -> list[Any]:
        """All values above the last mark, which goes too."""
        place = len(self.stack)
        while place and self.stack[place - 1] is not MARK:
            place -= 1
        if not place:
            raise PickleError("it has no mark where one is needed")
        values = self.stack[place:]
        del self.stack[place - 1:]
        return values

    def several(self, count: int) -> list[Any]:
        """The last `count` values."""
        return [self.pop() for _ in range(count)][::-1]

    def below(self, kind: type) -> Any:
        """The container on top, which stays."""
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise PickleError(f"it adds to what is no {kind.__name__}")
        return self.stack[-1]

    # The memo.

    def remember(self, place: int) -> None:
        value = self.pop()
        self.push(value)
        self.memo[place] = value

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise PickleError(f"it recalls number {place}, which it never stored")
        self.push(self.memo[place])

    # Containers.

    def set_items(self, values: list[Any]) -> None:
        """Names and values, in turn, into the dict on top."""
        if len(values) % 2:
            raise PickleError("it has a key without a value")
        self.below(dict).update(
            (as_key(key), value) for key, value in zip(values[::2], values[1::2], strict=True))

    def make_dict(self) -> None:
        values = self.to_mark()
        self.push({})
        self.set_items(values)

    # Names and calls: the door that an ordinary reader leaves open.

    def find(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("it looks up a name that is no text")
        full = f"{module}.{name}"
        if full not in self.names:
            raise PickleError(f"it wants to run {full[:100]}: refused")
        self.push(Named(full, self.names[full]))

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Named) or function.make is None \
                or not isinstance(arguments, tuple):
            raise PickleError("it calls what is no function: refused")
        try:
            self.push(function.make(*arguments))
        except TypeError as error:  # another number of arguments
            raise PickleError(f"it calls {function.name} with arguments that do not fit") from error

    def build(self) -> None:
        """Give a value its state: dicts, such as state_dicts, have none that matters here."""
        state = self.pop()
        value = self.below(object)
        if isinstance(value, Built):
            value.build(state)
        elif not isinstance(value, dict):
            raise PickleError("it gives a state to what has none: refused")

    def refuse(self, what: str) -> None:
        raise PickleError(f"it wants to {what}: refused")


def as_key(value: Any) -> Hashable:
    """A value that may be the key of a dict: hashing nested tuples could take for ever."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value
    raise PickleError(f"it has a key of class {type(value).__name__}, expected texts and numbers")


def _decimal(text: str) -> int | bool:
    if text in ("00", "01"):  # as protocols 0 and 1 write truth
        return text == "01"
    if len(text) > 1000:
        raise PickleError("it has a number of more than 1000 digits")
    return int(text.removesuffix("L"))


def _quoted(text: str) -> str:
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'":
        raise PickleError("it has a text without quotes")
    return text[1:-1]


def _global(machine: Pickles) -> None:
    machine.find(machine.line(), machine.line())


def _escaped(machine: Pickles) -> None:
    machine.push(machine.line().encode("latin1").decode("raw_unicode_escape"))


def _proto(machine: Pickles) -> None:
    version = machine.number("B")
    if version > 5:
        raise PickleError(f"it is of protocol {version}, known are 0 to 5")


ACTS: dict[bytes, Callable[[Pickles], object]] = {
    # what it is told about itself
    b"\x80": _proto, b"\x95": lambda m: m.number("<Q"),
    # numbers and truth
    b"N": lambda m: m.push(None), b"\x88": lambda m: m.push(True), b"\x89": lambda m: m.push(False),
    b"I": lambda m: m.push(_decimal(m.line())), b"L": lambda m: m.push(_decimal(m.line())),
    b"J": lambda m: m.push(m.number("<i")), b"K": lambda m: m.push(m.number("B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: m.push(int.from_bytes(m.counted("B"), "little", signed=True)),
    b"\x8b": lambda m: m.push(int.from_bytes(m.counted("<i"), "little", signed=True)),
    b"F": lambda m: m.push(float(m.line())), b"G": lambda m: m.push(m.number(">d")),
    # texts and bytes
    b"S": lambda m: m.push(_quoted(m.line())), b"V": _escaped,
    b"T": lambda m: m.push(m.counted("<i").decode("latin1")),
    b"U": lambda m: m.push(m.counted("B").decode("latin1")),
    b"X": lambda m: m.push(m.counted("<I").decode("utf-8", "surrogatepass")),
    b"\x8c": lambda m: m.push(m.counted("B").decode("utf-8", "surrogatepass")),
    b"\x8d": lambda m: m.push(m.counted("<Q").decode("utf-8", "surrogatepass")),
    b"B": lambda m: m.push(m.counted("<I")), b"C": lambda m: m.push(m.counted("B")),
    b"\x8e": lambda m: m.push(m.counted("<Q")), b"\x96": lambda m: m.push(m.counted("<Q")),
    # the stack
    b"(": lambda m: m.push(MARK), b"0": Pickles.pop, b"1": Pickles.to_mark,
    b"2": lambda m: m.stack.extend(m.several(1) * 2),
    # containers
    b"]": lambda m: m.push([]), b"}": lambda m: m.push({}), b")": lambda m: m.push(()),
    b"\x8f": lambda m: m.push(set()), b"l": lambda m: m.push(m.to_mark()),
    b"t": lambda m: m.push(tuple(m.to_mark())), b"d": Pickles.make_dict,
    b"\x85": lambda m: m.push(tuple(m.several(1))), b"\x86": lambda m: m.push(tuple(m.several(2))),
    b"\x87": lambda m: m.push(tuple(m.several(3))),
    b"\x91": lambda m: m.push(frozenset(map(as_key, m.to_mark()))),
    b"a": lambda m: _extend(m, m.several(1)), b"e": lambda m: _extend(m, m.to_mark()),
    b"s": lambda m: m.set_items(m.several(2)), b"u": lambda m: m.set_items(m.to_mark()),
    b"\x90": lambda m: _add(m, m.to_mark()),
    # the memo
    b"p": lambda m: m.remember(_decimal(m.line())), b"q": lambda m: m.remember(m.number("B")),
    b"r": lambda m: m.remember(m.number("<I")), b"\x94": lambda m: m.remember(len(m.memo)),
    b"g": lambda m: m.recall(_decimal(m.line())), b"h": lambda m: m.recall(m.number("B")),
    b"j": lambda m: m.recall(m.number("<I")),
    # names and calls
    b"c": _global, b"\x93": lambda m: m.find(*m.several(2)),
    b"R": Pickles.call, b"\x81": Pickles.call, b"b": Pickles.build,
    b"P": lambda m: m.push(m.persistent(m.line())), b"Q": lambda m: m.push(m.persistent(m.pop())),
    b"i": lambda m: m.refuse(f"make an object of {m.line()}.{m.line()}"[:120]),
    b"o": lambda m: m.refuse("make an object of a class"),
    b"\x92": lambda m: m.refuse("make an object of a class, with keywords"),
    **dict.fromkeys((b"\x82", b"\x83", b"\x84"),
                    lambda m: m.refuse("look up a name in the reader's own register")),
    **dict.fromkeys((b"\x97", b"\x98"), lambda m: m.refuse("read memory beside the file")),
}


def _extend(machine: Pickles, values: list[Any]) -> None:
    machine.below(list).extend(values)


def _add(machine: Pickles, values: list[Any]) -> None:
    machine.below(set).update(map(as_key, values))
