"""Sizes that the coded data of AVIF and HEIC files say, which is what a decoder takes memory for, whatever the header says.

The formats: ISO/IEC 14496-12 (boxes, items), 23008-12 (grids), 23008-2, 7.3.2.2 (HEVC's sequence parameter set), and the
AV1 specification, 5.5 (sequence header).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

Size = tuple[int, int]
CODED, MADE = {b"av01", b"hvc1", b"hev1"}, {b"grid", b"iovl"}
MOST_ITEMS, MOST_UNITS = 4_096, 256
"""Looked at; whoever has more of them hides something."""
_AV1_SEQUENCE, _HEVC_SEQUENCE = 1, 33


class TooManyParts(ValueError):
    """A file has more items than any picture needs."""


@dataclass
class Bits:
    """Reads bits, the highest first; behind the end there are zeros."""

    data: bytes
    at: int = 0

    def read(self, count: int) -> int:
        """The next bits as a number."""
        first, last = self.at // 8, (self.at + count + 7) // 8
        piece = self.data[first:last].ljust(last - first, b"\0")
        value = int.from_bytes(piece, "big") >> (8 * last - self.at - count)
        self.at += count
        return value & ((1 << count) - 1)

    def golomb(self) -> int:
        """The next number in Exp-Golomb code, as HEVC has it and AV1's ``uvlc``."""
        zeros = 0
        while zeros < 32 and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)


def boxes(data: bytes, at: int, end: int, *wanted: bytes) -> Iterator[tuple[int, int]]:
    """Where the content of each box of these kinds begins and ends."""
    while at + 8 <= min(end, len(data)):
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        last = end if length == 0 else at + length
        if last < at + head:
            return
        if kind in wanted:
            yield at + head, min(last, end)
        at = last


def sizes(data: bytes) -> Iterator[Size]:
    """Every size that a coded picture, its configuration, or a picture made of others says.

    Raises
    ------
    struct.error, IndexError
        It is cut off.
    TooManyParts
    """
    for meta in boxes(data, 0, len(data), b"meta"):
        yield from _configured(data, meta[0] + 4, meta[1])
        kinds = dict(_kinds(data, meta[0] + 4, meta[1]))
        for number, pieces in _places(data, meta[0] + 4, meta[1]):
            kind = kinds.get(number, b"")
            if kind in CODED:
                yield from _coded(pieces, kind)
            elif kind in MADE:
                yield _made(pieces, kind)
    for moov in boxes(data, 0, len(data), b"moov"):
        yield from _tracks(data, *moov)


def _configured(data: bytes, at: int, end: int) -> Iterator[Size]:
    for iprp in boxes(data, at, end, b"iprp"):
        for ipco in boxes(data, *iprp, b"ipco"):
            for start, last in boxes(data, *ipco, b"av1C"):
                yield from _obus(data[start + 4 : last])
            for start, last in boxes(data, *ipco, b"hvcC"):
                yield from _parameter_sets(data[start:last])


def _kinds(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Number and kind of each item."""
    for iinf in boxes(data, at, end, b"iinf"):
        begin = iinf[0] + (6 if data[iinf[0]] == 0 else 8)
        for start, _ in boxes(data, begin, iinf[1], b"infe"):
            if data[start] >= 2:
                form = ">H2x4s" if data[start] == 2 else ">I2x4s"
                yield struct.unpack_from(form, data, start + 4)


def _places(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Number and content of each item."""
    kept = next(boxes(data, at, end, b"idat"), (0, 0))
    for start, last in boxes(data, at, end, b"iloc"):
        read, version = Bits(data[start:last]), data[start]
        read.at = 32
        offset, length, base, index = (8 * read.read(4) for _ in range(4))
        count = read.read(16 if version < 2 else 32)
        if count > MOST_ITEMS:
            raise TooManyParts(f"the picture has {count:,} parts")
        for _ in range(count):
            number = read.read(16 if version < 2 else 32)
            is_kept = bool(version) and read.read(16) & 15 == 1
            read.read(16)
            begin = read.read(base) + (kept[0] if is_kept else 0)
            content = b""
            for _ in range(min(read.read(16), MOST_ITEMS)):
                read.read(index if version else 0)
                place = begin + read.read(offset)
                size = read.read(length)
                content += data[place : place + size if size else len(data)]
                if len(content) > len(data):
                    raise TooManyParts("the picture's parts are larger than its file")
            yield number, content


def _coded(content: bytes, kind: bytes) -> Iterator[Size]:
    if kind == b"av01":
        yield from _obus(content)
        return
    at = 0
    for _ in range(MOST_UNITS):
        if at + 6 > len(content):
            return
        (length,) = struct.unpack_from(">I", content, at)
        yield from _unit(content[at + 4 : at + 4 + length])
        at += 4 + length


def _made(content: bytes, kind: bytes) -> Size:
    """The size of a picture that is put together of others."""
    at = 4 if kind == b"grid" else 10
    width, height = struct.unpack_from(">II" if content[1] & 1 else ">HH", content, at)
    return width, height


def _tracks(data: bytes, at: int, end: int) -> Iterator[Size]:
    """Of a sequence of pictures: what its samples' description says, and every AV1 stream's beginning in the file."""
    for trak in boxes(data, at, end, b"trak"):
        for start, _ in boxes(data, *trak, b"tkhd"):
            width, height = struct.unpack_from(">II", data, start + (76 if data[start] == 0 else 88))
            yield width >> 16, height >> 16
    found = data.find(b"\x12\0\x0a")
    while found >= 0:
        yield from _obus(data[found : found + 64])
        found = data.find(b"\x12\0\x0a", found + 1)


# ── AV1 ──────────────────────────────────────────────────────────────────────────────────────────


def _obus(content: bytes) -> Iterator[Size]:
    at = 0
    for _ in range(MOST_UNITS):
        if at >= len(content):
            return
        head = content[at]
        at += 2 if head & 4 else 1
        size = len(content) - at
        if head & 2:
            size = shift = 0
            while at < len(content) and shift < 56:
                size |= (content[at] & 127) << shift
                shift += 7
                at += 1
                if content[at - 1] < 128:
                    break
        if head >> 3 & 15 == _AV1_SEQUENCE:
            yield _av1_size(Bits(content[at : at + size]))
        at += size


def _av1_size(read: Bits) -> Size:
    read.read(4)
    if read.read(1):
        read.read(5)
    else:
        delays = 0
        if read.read(1):
            read.read(64)
            if read.read(1):
                read.golomb()
            if read.read(1):
                delays = read.read(5) + 1
                read.read(42)
        has_display_delay = read.read(1)
        for _ in range(read.read(5) + 1):
            read.read(12)
            if read.read(5) > 7:
                read.read(1)
            if delays and read.read(1):
                read.read(2 * delays + 1)
            if has_display_delay and read.read(1):
                read.read(4)
    width, height = read.read(4) + 1, read.read(4) + 1
    return read.read(width) + 1, read.read(height) + 1


# ── HEVC ─────────────────────────────────────────────────────────────────────────────────────────


def _parameter_sets(configuration: bytes) -> Iterator[Size]:
    at = 23
    for _ in range(configuration[22] if len(configuration) > 22 else 0):
        (count,) = struct.unpack_from(">H", configuration, at + 1)
        at += 3
        for _ in range(min(count, MOST_UNITS)):
            (length,) = struct.unpack_from(">H", configuration, at)
            yield from _unit(configuration[at + 2 : at + 2 + length])
            at += 2 + length


def _unit(unit: bytes) -> Iterator[Size]:
    if len(unit) > 2 and unit[0] >> 1 & 63 == _HEVC_SEQUENCE:
        yield _hevc_size(Bits(unit[2:1024].replace(b"\0\0\3", b"\0\0")))


def _hevc_size(read: Bits) -> Size:
    read.read(4)
    layers = read.read(3)
    read.read(1 + 96)
    present = [(read.read(1), read.read(1)) for _ in range(layers)]
    if layers:
        read.read(2 * (8 - layers))
    for profile, level in present:
        read.read(88 * profile + 8 * level)
    read.golomb()
    if read.golomb() == 3:
        read.read(1)
    return read.golomb(), read.golomb()
