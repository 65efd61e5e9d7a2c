"""PNG pictures without a library for pictures."""

import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def png(width: int = 64, height: int = 32, *more: bytes, data: bytes = b"x") -> bytes:
    """A file with further chunks before its data, which need not be a picture."""
    header = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x03\0\0\0"
    palette = png_chunk(b"PLTE", b"\xb0\x20\x40\xff\xff\xff")
    chunks = (png_chunk(b"IHDR", header), palette, *more, png_chunk(b"IDAT", data), png_chunk(b"IEND"))
    return SIGNATURE + b"".join(chunks)


def picture(width: int = 96, height: int = 48) -> bytes:
    """A red surface with a white stripe."""
    rows = [b"\0" + bytes(int(abs(row - height // 2) < 5) for _ in range(width)) for row in range(height)]
    return png(width, height, data=zlib.compress(b"".join(rows)))
