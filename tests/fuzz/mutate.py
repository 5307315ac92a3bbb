"""Good files made bad: any bytes, and JSON, NumPy's, zip, gzip, PNG, safetensors and
PyTorch's files by their parts.

Every function draws from a `random.Random` alone, so that a seed gives the same file again.
"""

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from typing import Any

NUMBERS = (0, 1, -1, 2, 3, 7, 255, 256, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1,
           2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30, -2**31, -2**63, -10**30)
DEEP = "@deep"  # stands for nesting that Python's own writer could not write
ODD = (*NUMBERS, 0.5, -0.5, 1e-320, 1e308, float("nan"), float("inf"), -float("inf"), None, True,
       False, "", "x", "../x", "\x00", "\ud800", "ж" * 50, "x" * 10_000, [], {}, [[]], [None],
       [1, "x"], {"x": 1}, DEEP)
ZEROS = bytes(16 << 20)  # bombs hold 64 times as many


def change_bytes(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """Up to three changes of any kind; `other` is a file to splice with."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        content = draw.choice((_flip, _flip, _number, _number, _run, _cut, _extend, _swap, _repeat,
                               lambda draw, content: _splice(draw, content, other)))(draw, content)
    return content


def _place(draw: random.Random, content: bytes) -> int:
    """A place in a file; headers, at both ends, more often."""
    size = max(1, len(content))
    near = min(size, 64)
    return draw.choice((draw.randrange(size), draw.randrange(near),
                        size - 1 - draw.randrange(near)))


def _flip(draw: random.Random, content: bytes) -> bytes:
    result = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        if result:
            result[_place(draw, content)] ^= 1 << draw.randrange(8)
    return bytes(result)


def _number(draw: random.Random, content: bytes) -> bytes:
    size = draw.choice((1, 2, 4, 8))
    place = _place(draw, content)
    number = (draw.choice(NUMBERS) % 256**size).to_bytes(size, draw.choice(("big", "little")))
    return content[:place] + number + content[place + size:]


def _run(draw: random.Random, content: bytes) -> bytes:
    place, size = _place(draw, content), draw.choice((1, 4, 16, 200))
    run = draw.choice((bytes(size), b"\xff" * size, draw.randbytes(size)))
    return content[:place] + run + content[place + draw.choice((0, size)):]


def _cut(draw: random.Random, content: bytes) -> bytes:
    place = _place(draw, content)
    return draw.choice((content[:place], content[place:],
                        content[:place] + content[place + draw.randrange(40):]))


def _extend(draw: random.Random, content: bytes) -> bytes:
    return content + draw.choice((b"\0", b"\n", bytes(5000), draw.randbytes(50), content))


def _swap(draw: random.Random, content: bytes) -> bytes:
    a, b, c = sorted(_place(draw, content) for _ in range(3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def _repeat(draw: random.Random, content: bytes) -> bytes:
    a, b = sorted(_place(draw, content) for _ in range(2))
    return content[:b] + content[a:b] * draw.choice((1, 1, 100)) + content[b:]


def _splice(draw: random.Random, content: bytes, other: bytes) -> bytes:
    return content[:_place(draw, content)] + other[_place(draw, other):]


def change_value(draw: random.Random, value: Any) -> Any:
    """A value of JSON with one part taken out, doubled, or put in another's place."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        name = draw.choice(list(value))
        rest = {key: part for key, part in value.items() if key != name}
        action = draw.randrange(8)
        if action == 0:
            return rest
        if action == 1:
            return value | {draw.choice(("", "x", name + "x", "ж")): draw.choice(ODD)}
        if action == 2:
            return {draw.choice(("x", "", name.upper())) if key == name else key: part
                    for key, part in value.items()}
        return value | {name: change_value(draw, value[name])}
    if isinstance(value, list) and value and draw.random() < 0.85:
        place, action = draw.randrange(len(value)), draw.randrange(6)
        if action == 0:
            return value[:place] + value[place + 1:]
        if action == 1:
            return value[:place] + [value[place]] + value[place:]
        return value[:place] + [change_value(draw, value[place])] + value[place + 1:]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and draw.random() < 0.4:
        return draw.choice((-value, value + 1, value - 1, value * 2, float(value), str(value)))
    return draw.choice(ODD)


def json_text(draw: random.Random, value: Any) -> bytes:
    """JSON, with deep nesting where the value has its sign."""
    depth = draw.choice((99, 101, 1000, 100_000))
    deep = draw.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth,
                        "[" * depth))
    return json.dumps(value).replace(f'"{DEEP}"', deep).encode()


def change_json(draw: random.Random, content: bytes, other: bytes = b"{}") -> bytes:
    """A JSON file with other contents; or with two of a name; or any bytes changed."""
    action = draw.randrange(6)
    if action < 2:
        return change_bytes(draw, content, other)
    if action == 2 and content.lstrip().startswith(b"{"):
        pairs = list(json.loads(content).items())
        name, value = draw.choice(pairs)
        twice = json_text(draw, {name: draw.choice((value, draw.choice(ODD)))})[1:-1]
        return b"{" + twice + b"," + content.lstrip()[1:]
    value = json.loads(content)
    for _ in range(draw.choice((1, 1, 2))):
        value = change_value(draw, value)
    return json_text(draw, value)


def change_safetensors(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """A safetensors file with another header, other metadata, or any bytes changed."""
    if draw.random() < 0.3:
        return change_bytes(draw, content, other)
    size = struct.unpack("<Q", content[:8])[0]
    header, data = content[8:8 + size], content[8 + size:]
    value = json.loads(header)
    arrays = [name for name in value if name != "__metadata__"]
    action = draw.randrange(5)
    if action == 0 and "state" in value.get("__metadata__", {}):
        state = change_json(draw, value["__metadata__"]["state"].encode())
        value["__metadata__"]["state"] = state.decode(errors="replace")
        header = json_text(draw, value)
    elif action == 1:
        entry = value[draw.choice(arrays)]
        entry["dtype"] = draw.choice(("F16", "BF16", "F64", "I64", "U8", "BOOL", "F8_E4M3", "x", 3))
        header = json_text(draw, value)
    elif action == 2:
        entry = value[draw.choice(arrays)]
        start, end = entry["data_offsets"]
        ends = (*NUMBERS, start, end, start + 1, end + 4, end - 4, len(data))
        entry["data_offsets"] = [draw.choice(ends), draw.choice((end, draw.choice(ends)))]
        header = json_text(draw, value)
    elif action == 3:
        entry = value[draw.choice(arrays)]
        entry["shape"] = draw.choice((entry["shape"][::-1], entry["shape"] + [1], [0], [],
                                      [draw.choice(NUMBERS) for _ in range(draw.randrange(1, 5))]))
        header = json_text(draw, value)
    else:
        header = change_json(draw, header)
    size = draw.choice((len(header), len(header), len(header), draw.choice(NUMBERS) % 2**64))
    return struct.pack("<Q", size) + header + data


def change_npy(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """An .npy file with another type, shape or header, or any bytes changed."""
    if draw.random() < 0.4:
        return change_bytes(draw, content, other)
    size = struct.unpack("<H", content[8:10])[0]
    header, data = content[10:10 + size].decode("latin1"), content[10 + size:]
    value = eval(header, {"__builtins__": {}})  # ours, and no longer JSON once it has tuples
    action = draw.randrange(4)
    if action == 0:
        value["descr"] = draw.choice(("|O", "<f2", ">f8", "<c16", "<U3", "<M8[s]", "|V8", "|b1", "",
                                      "<f99", [("a", "<f4")], [("a", "|O")], "<i8", "|S4", 3, None))
    elif action == 1:
        value["shape"] = draw.choice((
            (), (0,), (-1,), (2**62, 4), (2**40,), value["shape"][::-1], value["shape"] + (1,),
            tuple(draw.choice(NUMBERS) for _ in range(draw.randrange(1, 5))), "x", None, (1.5,),
            (True, 4), (1,) * 70))
    elif action == 2:
        value["fortran_order"] = draw.choice((True, False, 0, "x", None))
    else:
        value = change_value(draw, value)
    text = draw.choice((repr(value), repr(value), "(" * draw.choice((90, 5000)), repr(value) * 2))
    text = text.encode("latin1", errors="replace")
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    if draw.random() < 0.2:
        text = change_bytes(draw, text)
    version = draw.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"))
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text) & 0xFFFF)
    return b"\x93NUMPY" + version + length + text + data


def change_zip(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """A zip file of .npy files whose entries or directory are wrong, or any bytes changed."""
    action = draw.randrange(6)
    if action == 0:
        return change_bytes(draw, content, other)
    if action == 1:  # a field of the directory, or of an entry's own header
        places = [place for place in range(len(content))
                  if content.startswith((b"PK\1\2", b"PK\3\4", b"PK\5\6"), place)]
        place, size = draw.choice(places) + draw.randrange(46), draw.choice((1, 2, 4))
        number = (draw.choice(NUMBERS) % 256**size).to_bytes(size, "little")
        return content[:place] + number + content[place + size:]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    place = draw.randrange(len(entries))
    name, data = entries[place]
    if action == 2:
        entries[place] = (draw.choice(("x.npy", "../x_train.npy", name + "\0", name[:-4])), data)
    elif action == 3:
        entries.insert(draw.randrange(len(entries) + 1), (name, draw.choice((data, b"", b"PK"))))
    elif action == 4 and draw.random() < 0.1:
        return _zip_bomb(name, data[:128], draw.choice((2, 16, 64)))
    else:
        entries[place] = (name, change_npy(draw, data, entries[0][1]))
    stream = io.BytesIO()
    kind = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED,
                        zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(stream, "w", kind, compresslevel=1) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return stream.getvalue()


def _zip_bomb(name: str, start: bytes, times: int) -> bytes:
    stream = io.BytesIO()
    with (zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
          archive.open(name, "w") as entry):
        for piece in [start] + [ZEROS] * times:
            entry.write(piece)
    return stream.getvalue()


def change_idx(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """An idx file with other sizes, another type or rank, or any bytes changed."""
    if draw.random() < 0.5:
        return change_bytes(draw, content, other)
    rank = 3 if len(content) > 20 and content[3] == 3 else 1
    sizes = list(struct.unpack(f">{rank}I", content[4:4 + 4 * rank]))
    sizes[draw.randrange(rank)] = draw.choice((*NUMBERS, *sizes)) % 2**32
    kind = draw.choice((content[2], content[2], 8, 9, 11, 12, 13, 14, draw.randrange(256)))
    stated = draw.choice((rank, rank, rank + 1, 0, 255))
    return bytes([0, 0, kind, stated]) + struct.pack(f">{rank}I", *sizes) + content[4 + 4 * rank:]


def change_gzip(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """A gzip file of an idx file: the file within, or the packing, is wrong."""
    action = draw.randrange(8)
    if action < 3:
        return change_bytes(draw, content, other)
    inside = gzip.decompress(content)
    if action == 3 and draw.random() < 0.1:
        return gzip.compress(inside, 1) + gzip.compress(ZEROS, 1) * draw.choice((2, 16, 64))
    elif action == 4:
        return content + gzip.compress(draw.choice((b"", inside, b"x")), 1)
    else:
        inside = change_idx(draw, inside, other)
    return gzip.compress(inside, 1)


def change_png(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """A PNG with a chunk that is changed, doubled or gone, and with right checksums."""
    if draw.random() < 0.5:
        return change_bytes(draw, content, other)
    chunks, place = [], 8
    while place < len(content):
        size = struct.unpack(">I", content[place:place + 4])[0]
        chunks.append((content[place + 4:place + 8], content[place + 8:place + 8 + size]))
        place += 12 + size
    place = draw.randrange(len(chunks))
    name, data = chunks[place]
    action = draw.randrange(5)
    if action == 0:
        chunks.insert(draw.randrange(len(chunks)), (name, data))
    elif action == 1:
        del chunks[place]
    elif action == 2:
        chunks.insert(1, (draw.choice((b"iCCP", b"zTXt", b"tRNS", b"PLTE", b"eXIf", b"acTL")),
                          draw.choice((b"", draw.randbytes(20), b"x\0\0" + zlib.compress(
                              bytes(draw.choice((10, 1 << 26))), 1)))))
    else:
        chunks[place] = (name, change_bytes(draw, data))
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks)


# Instructions of pickles, with what follows them; names that files use, and one that runs things.
INSTRUCTIONS = [bytes([code]) for code in range(256)] + [
    b"(" * 1000, b"]" * 1000, b"\x85" * 5000, b"2\x86" * 100, b"2a", b"2" * 3000, b"N" * 3000,
    b"X\xff\xff\xff\xff", b"\x8b\xff\xff\xff\x7f", b"\x8d" + b"\xff" * 8, b"r\xff\xff\xff\xff",
    b"K\x00", b"M\xff\xff", b"J\xff\xff\xff\xff", b"\x8a\x08" + b"\xff" * 7 + b"\x7f", b"I01\n",
    b"G" + b"\xff" * 8, b"I-5\n", b"Fnan\n", b"Vx\n", b"h\x00", b"q\x00",
    b"cposix\nsystem\n", b"cbuiltins\neval\n", b"ccollections\nOrderedDict\n)R",
    b"ctorch\nFloatStorage\n", b"ctorch.storage\nUntypedStorage\n", b"ctorch\nSize\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_tensor_v3\n",
    b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\nscalar\n",
]


def change_pickle(draw: random.Random, content: bytes) -> bytes:
    """A pickle with instructions put in, or in place of others, or any bytes changed."""
    if draw.random() < 0.3:
        return change_bytes(draw, content)
    for _ in range(draw.choice((1, 1, 2, 5))):
        place = draw.randrange(len(content) + 1)
        added = draw.choice(INSTRUCTIONS)
        content = content[:place] + added + content[place + draw.choice((0, 0, 1, len(added))):]
    return content


def change_pth(draw: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """A PyTorch file with another pickle, other memory or other entries, or any bytes changed."""
    action = draw.randrange(8)
    if action < 2:
        return change_bytes(draw, content, other)
    if not content.startswith(b"PK"):  # the pickles, and then the memory
        end = draw.choice((40, len(content) // 2, len(content)))
        return change_pickle(draw, content[:end]) + content[end:]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    place = 0 if action < 6 else draw.randrange(len(entries))
    name, data = entries[place]
    if action < 6:
        entries[0] = (name, change_pickle(draw, data))
    elif action == 6:
        entries[place] = (name, draw.choice((b"", data[:-1], data * 2, b"big", b"little")))
    else:
        names = (name + "x", "a/data.pkl", "../x", "data/0", "a/data/0")
        entries[place] = (draw.choice(names), data)
    stream = io.BytesIO()
    kind = draw.choice((zipfile.ZIP_STORED,) * 9 + (zipfile.ZIP_DEFLATED,))
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return stream.getvalue()
