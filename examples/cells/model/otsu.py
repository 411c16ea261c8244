"""How many bright cells there are on the dark ground of a picture.

The brightness that parts cells from ground is the one that leaves the least variance within
the two. Source: N. Otsu, A threshold selection method from gray-level histograms, IEEE
Transactions on Systems, Man, and Cybernetics 9 (1979), 62-66,
https://doi.org/10.1109/TSMC.1979.4310076.

Where it stops being true: cells that touch, at a side or a corner, count as one; uneven light,
or a ground with few cells, moves the threshold. It finds a threshold in pure noise, too.
"""

import io

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, field_validator
from scipy.ndimage import label

LARGEST = 4_000_000  # pixels; a file of some kilobytes may unfold to gigabytes
MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}  # 8 bits or fewer per channel


class Input(BaseModel):
    """A picture, and what is too small to be a cell."""

    model_config = ConfigDict(val_json_bytes="base64", ser_json_bytes="base64")

    image: bytes = Field(description="The picture: a PNG file of at most 4 megapixels")
    smallest: int = Field(
        5,
        ge=1,
        le=LARGEST,
        description="The least size of a cell",
        json_schema_extra={"unit": "pixels"},
    )

    @field_validator("image")
    @classmethod
    def is_readable(cls, image: bytes) -> bytes:
        """Refuse here what `predict` could not read."""
        brightness(image)
        return image


class Output(BaseModel):
    """The cells, and how they were told from the ground."""

    cells: int = Field(description="How many cells")
    area: float = Field(description="Mean size of a cell", json_schema_extra={"unit": "pixels"})
    threshold: int = Field(description="Cells are brighter than this, from 0 to 255")


def predict(inputs: Input) -> Output:
    """Part the picture by brightness, and count the connected parts."""
    picture = brightness(inputs.image)
    threshold = otsu(np.bincount(picture.ravel(), minlength=256))
    touching = np.ones((3, 3))  # also by a corner
    parts, _ = label(picture > threshold, touching)
    sizes = np.bincount(parts.ravel())[1:]  # the first is the ground
    cells = sizes[sizes >= inputs.smallest]
    area = cells.mean() if cells.size else 0.0
    return Output(cells=cells.size, area=area, threshold=threshold)


def brightness(file: bytes) -> np.ndarray:
    """The brightness of each pixel of a PNG file, from 0 to 255, as an array of bytes.

    :raise ValueError: if it is no such file, or a larger one than `LARGEST`
    """
    try:
        picture = Image.open(io.BytesIO(file), formats=["PNG"])
        pixels, mode = picture.width * picture.height, picture.mode
        readable = pixels <= LARGEST and mode in MODES and np.asarray(picture.convert("L"))
    except Exception as error:  # of a dozen kinds, depending on where the file is broken
        raise ValueError("The file is not a PNG picture, or is damaged") from error
    if pixels > LARGEST:
        raise ValueError(f"The picture has {pixels} pixels; send at most {LARGEST}")
    if mode not in MODES:
        raise ValueError("The picture has 16 bits per channel; send one with 8")
    return readable


def otsu(histogram: np.ndarray) -> int:
    """The threshold that parts a histogram into two classes whose means differ most.

    `histogram` counts the pixels of each brightness from 0 to 255.
    """
    below = np.cumsum(histogram)
    above = below[-1] - below
    light = np.cumsum(histogram * np.arange(256))
    excess = light - light[-1] * (below / below[-1])
    between = np.divide(excess**2, below * above, out=np.zeros(256), where=below * above > 0)
    darkest = np.flatnonzero(histogram)[0]  # an even picture is all ground
    return int(max(between.argmax(), darkest))
