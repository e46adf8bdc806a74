"""One image from its bytes, whatever its name says it is."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from search.training.ingestion.limits import UnreadableError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")

Pixels = npt.NDArray[np.uint8]


def decode(content: bytes, most_pixels: int) -> Image.Image:
    """An image upright, in grey ("L") or colour ("RGB"), transparency over white; the first of an animation.

    Raises UnreadableError for what is no whole image of a known format, or larger than `most_pixels`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
                if width * height > most_pixels:
                    raise UnreadableError(f"{width} x {height} pixels are more than {most_pixels:,}")
                image.load()
                return _plain(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableError(f"more than {most_pixels:,} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableError(f"not an image of a known format ({', '.join(FORMATS)})") from None
    except UnreadableError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError, OverflowError, KeyError, IndexError):
        # Whatever a decoder trips over in a damaged file is the file's fault.
        raise UnreadableError("damaged or cut off") from None


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        deep = np.asarray(image, dtype=np.int64)
        return Image.fromarray((np.clip(deep, 0, 65535) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    if image.mode in ("L", "1"):
        return image.convert("L")
    return image.convert("RGB")


def is_grey(image: Image.Image, pixels: Pixels) -> bool:
    """Whether an image holds no colour: by its mode, or because its channels are equal."""
    if image.mode == "L":
        return True
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())


def fitted(image: Image.Image, size: int) -> Pixels:
    """The middle of an image as (size, size, 3): its shorter side scaled to `size`, the longer one cut."""
    colour = image.convert("RGB")
    if colour.size != (size, size):
        colour = ImageOps.fit(colour, (size, size), method=Image.Resampling.BILINEAR)
    return np.asarray(colour, dtype=np.uint8)
