"""What a printer would print: each page of a PDF as an image, and the QR codes that a decoder finds in it."""

import subprocess
from pathlib import Path
from typing import Any

A4_MM = (210, 297)
MARGIN_MM = 8
GRIDS = {8: (2, 4, 97, 69.8), 12: (2, 6, 97, 46.5), 24: (3, 8, 194 / 3, 34.9)}
"""Columns, rows, and a slip's width and height in millimetres, by the slips on a page, as
`node/admin/templates/print.css` lays them out."""
DOTS_PER_INCH = 300
MM_PER_INCH = 25.4


def sheets(pdf: bytes, folder: Path) -> list[Any]:
    """The pages in grey, at `DOTS_PER_INCH`; `folder` is for intermediate files. Raises if it is not a PDF."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    argv = ["pdftoppm", "-gray", "-r", str(DOTS_PER_INCH), "-", str(folder / "page")]
    subprocess.run(argv, input=pdf, check=True, capture_output=True)
    found = []
    for path in sorted(folder.glob("page*.pgm")):
        with Image.open(path) as image:
            found.append(image.copy())
    return found


def size_mm(sheet: Any) -> tuple[int, int]:
    width, height = sheet.size
    return round(width * MM_PER_INCH / DOTS_PER_INCH), round(height * MM_PER_INCH / DOTS_PER_INCH)


def slips(sheet: Any, per_page: int) -> list[Any]:
    """The page cut along its dashed lines, row by row."""
    columns, rows, wide, high = GRIDS[per_page]
    width, height = sheet.size
    across, down = width / A4_MM[0], height / A4_MM[1]
    return [
        sheet.crop(
            (
                round((MARGIN_MM + wide * column) * across),
                round((MARGIN_MM + high * row) * down),
                round((MARGIN_MM + wide * (column + 1)) * across),
                round((MARGIN_MM + high * (row + 1)) * down),
            )
        )
        for row in range(rows)
        for column in range(columns)
    ]


def codes_on(slip: Any) -> list[str]:
    """The texts of all QR codes in the image, in alphabetical order."""
    import zbar

    scanner = zbar.ImageScanner()
    scanner.parse_config("enable=0")
    scanner.parse_config("qrcode.enable=1")
    image = zbar.Image(*slip.size, "Y800", slip.tobytes())
    scanner.scan(image)
    return sorted({symbol.data for symbol in image})
