"""What a printer would print: each page of a PDF as an image, and the QR codes that a decoder finds in it."""

import subprocess
from pathlib import Path
from typing import Any

A4_MM = (210, 297)
MARGIN_MM, SLIP_MM = 8, (194 / 3, 34.9)
"""The slips as `node/admin/templates/print.css` lays them out."""
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


def slips(sheet: Any) -> list[Any]:
    """The page cut along its dashed lines into three by eight slips, row by row."""
    width, height = sheet.size
    across, down = width / A4_MM[0], height / A4_MM[1]
    return [
        sheet.crop(
            (
                round((MARGIN_MM + SLIP_MM[0] * column) * across),
                round((MARGIN_MM + SLIP_MM[1] * row) * down),
                round((MARGIN_MM + SLIP_MM[0] * (column + 1)) * across),
                round((MARGIN_MM + SLIP_MM[1] * (row + 1)) * down),
            )
        )
        for row in range(8)
        for column in range(3)
    ]


def code_on(slip: Any) -> str | None:
    """The text of the one QR code in the image; None if there is none."""
    import zbar

    scanner = zbar.ImageScanner()
    scanner.parse_config("enable=0")
    scanner.parse_config("qrcode.enable=1")
    image = zbar.Image(*slip.size, "Y800", slip.tobytes())
    scanner.scan(image)
    found = {symbol.data for symbol in image}
    return found.pop() if len(found) == 1 else None
