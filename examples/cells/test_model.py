"""Does the model tell the truth? Held against pictures that are drawn here."""

import base64
import io
import json
import struct
import zlib

import pytest
from PIL import Image, ImageDraw
from pydantic import ValidationError

from model import Input, predict


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def drawn(cells: int, side: int = 6, mode: str = "L") -> bytes:
    """Yellow squares, side by side on a black ground."""
    picture = Image.new("RGB", (10 * cells + 10, 20))
    draw = ImageDraw.Draw(picture)
    for number in range(cells):
        left = 10 * number + 4
        draw.rectangle((left, 4, left + side - 1, 4 + side - 1), "yellow")
    return png(picture.convert(mode))


def empty(width: int, height: int) -> bytes:
    """A small file whose header promises a picture of any size."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", b"")]
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in [*parts, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("cells", [1, 2, 17])
def test_every_cell_is_counted_and_measured(cells):
    output = predict(Input(image=drawn(cells)))
    assert (output.cells, output.area) == (cells, 36)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_colours_are_as_good_as_grey(mode):
    assert predict(Input(image=drawn(3, mode=mode))).cells == 3


@pytest.mark.parametrize(("smallest", "cells"), [(9, 2), (10, 0)])
def test_what_is_too_small_is_no_cell(smallest, cells):
    assert predict(Input(image=drawn(2, side=3), smallest=smallest)).cells == cells


def test_the_threshold_leaves_the_least_variance_within_the_classes():
    """Worked out for 0, 0, 50, 200, 250: the parting {0, 0, 50}, {200, 250} has the least."""
    picture = Image.new("L", (5, 1))
    picture.putdata([0, 0, 50, 200, 250])
    assert predict(Input(image=png(picture))).threshold == 50


def test_an_even_picture_has_no_cells():
    assert predict(Input(image=png(Image.new("L", (9, 9), 200)))).cells == 0


def test_a_file_stands_in_json_as_base64():
    document = json.dumps({"image": base64.b64encode(drawn(4)).decode()})
    assert predict(Input.model_validate_json(document)).cells == 4


REFUSED = {
    "nothing": b"",
    "text": b"not a picture",
    "another format": b"GIF89a" + b"\0" * 20,
    "cut off": drawn(3)[:60],
    "without its last bytes": drawn(17)[:-30],
    "too large": png(Image.new("1", (4001, 1000))),
    "a bomb": empty(60_000, 60_000),
    "the largest bomb": empty(2**31 - 1, 2**31 - 1),
    "16 bits": png(Image.new("I;16", (9, 9))),
}


@pytest.mark.parametrize("file", REFUSED.values(), ids=REFUSED)
def test_what_is_no_picture_is_refused(file):
    with pytest.raises(ValidationError, match=r"not a PNG picture|at most 4000000|send one with 8"):
        Input(image=file)


@pytest.mark.parametrize("smallest", [0, 4_000_001, 1.5])
def test_what_is_no_size_is_refused(smallest):
    with pytest.raises(ValidationError):
        Input(image=drawn(1), smallest=smallest)
