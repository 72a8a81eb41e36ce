"""Pillow reads and writes `.pin` files once this module is imported.

    from PIL import Image
    import pinhole.pillow

    Image.open("photo.jpg").save("photo.pin", quality=60)
    Image.open("photo.pin").show()

`save` takes `quality` (0 to 100, default 50), `target_bytes`, `chunk_rows`, `threads`, `icc_profile`, `exif` and
`xmp`. As with Pillow's own formats, the ICC profile of the image is kept unless another is given; Exif and XMP are
written when they are given: `image.save("x.pin", exif=image.getexif(), xmp=image.info.get("xmp"))`.

`open` reads the header only; `load` decodes. A damaged file is an `OSError`, or with
`PIL.ImageFile.LOAD_TRUNCATED_IMAGES` set a picture whose lost parts are concealed. How large a picture may be is up to
`PIL.Image.MAX_IMAGE_PIXELS`. Streams of other models than the package's cannot be opened this way.
"""

from typing import IO, Any

from PIL import Image, ImageFile

from . import _native
from ._codec import decode, encode, info

FORMAT = "PIN"
_SIGNATURE = b"\xd0P\r\n"
# The longest header without metadata.
_HEADER = 32
_MODES = {"gray": "L", "graya": "LA", "rgb": "RGB", "rgba": "RGBA"}
_ARGUMENTS = ("quality", "target_bytes", "chunk_rows", "threads")


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_SIGNATURE)


class PinImageFile(ImageFile.ImageFile):
    """An opened `.pin` file."""

    format = FORMAT
    format_description = "Pinhole learned picture"

    def _open(self) -> None:
        file = self.fp
        assert file is not None
        head = file.read(_HEADER)
        try:
            # Metadata follow the header; both are needed before anything is decoded.
            head += file.read(max(0, _native.header_len(head) - len(head)))
            about = info(head)
        except _native.PinholeError as error:
            # What Pillow expects from a file that is none of ours.
            raise SyntaxError(str(error)) from error
        self._size = (about.width, about.height)
        self._mode = _MODES[about.format]
        for key, value in (("icc_profile", about.icc), ("exif", about.exif), ("xmp", about.xmp)):
            if value is not None:
                self.info[key] = value
        self.tile = [ImageFile._Tile("pinhole", (0, 0, *self.size), 0, (about.format,))]


class _PinDecoder(ImageFile.PyDecoder):
    """Decodes the whole file at once, as Pillow's interface for Python decoders wants it."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        assert self.fd is not None
        assert self.im is not None
        data = self.fd.read()
        width, height = self.im.size
        try:
            # Pillow has checked the size against its own limit.
            pixels = decode(
                data,
                format=self.args[0],
                conceal=ImageFile.LOAD_TRUNCATED_IMAGES,
                max_pixels=width * height,
            )
        except _native.PinholeError as error:
            raise OSError(str(error)) from error
        self.set_as_raw(pixels.data)
        return -1, 0


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    given = image.encoderinfo
    options = {name: given[name] for name in _ARGUMENTS if given.get(name) is not None}
    icc = given.get("icc_profile", image.info.get("icc_profile"))
    exif = given.get("exif") or b""
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes()
    try:
        data = encode(image, icc=icc or b"", exif=exif, xmp=given.get("xmp"), **options)
    except ValueError as error:
        # As Pillow's own formats say that they cannot write something.
        raise OSError(f"cannot write as {FORMAT}: {error}") from error
    file.write(data)


Image.register_open(FORMAT, PinImageFile, _accept)
Image.register_decoder("pinhole", _PinDecoder)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".pin")
Image.register_mime(FORMAT, "image/x-pinhole")
