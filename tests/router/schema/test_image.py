"""Images of every kind come in as upright 8-bit RGB; what is not an image is refused with the mend."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from visionrouter.schema.errors import ImageError
from visionrouter.schema.image import Image, ImageLimits, load_image


def encoded(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 100))


def test_path_bytes_pil_and_array_agree(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    picture = PIL.Image.fromarray(pixels)
    path = tmp_path / "a.png"
    picture.save(path)
    for source in (path, str(path), path.read_bytes(), picture, pixels):
        assert np.array_equal(load_image(source).pixels, pixels)


def test_pixels_cannot_be_written():
    image = load_image(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0] = 1


def test_an_array_of_the_caller_stays_writable():
    pixels = np.zeros((2, 2, 3), np.uint8)
    load_image(pixels)
    pixels[0, 0] = 1


def test_exif_orientation_is_applied():
    picture = PIL.Image.new("RGB", (4, 2))
    picture.putpixel((0, 0), (255, 0, 0))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    image = load_image(encoded(picture, "PNG", exif=exif))
    assert image.size == (2, 4)
    assert image.pixels[0, 1].tolist() == [255, 0, 0]
    assert "exif_rotated" in image.notes


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "RGBA", "LA", "I;16"]
)
def test_every_mode_becomes_rgb(mode):
    image = load_image(PIL.Image.new(mode, (3, 2)))
    assert image.pixels.shape == (2, 3, 3)
    assert image.pixels.dtype == np.uint8


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.array([[0, 32768, 65535]], np.uint16)
    image = load_image(encoded(PIL.Image.fromarray(values), "PNG"))
    assert image.pixels[0, :, 0].tolist() == [0, 128, 255]
    assert "16bit_scaled_to_8bit" in image.notes


def test_alpha_lies_on_white():
    image = load_image(np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8))
    assert image.pixels[0].tolist() == [[255, 255, 255], [10, 20, 30]]


def test_an_animation_gives_its_first_frame_and_says_so():
    frames = [PIL.Image.new("L", (3, 3), v) for v in (10, 200, 90)]
    image = load_image(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert image.pixels[0, 0, 0] == 10
    assert "first_frame_of_3" in image.notes


def test_one_pixel_is_an_image():
    assert load_image(np.zeros((1, 1), np.uint8)).size == (1, 1)


def test_float_arrays_are_scaled():
    assert load_image(np.array([[0.0, 1.0]])).pixels[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "empty"),
        (b"hello, I am a text file", "not an image"),
        (png_header(60_000, 60_000), "over the cap|more pixels than the cap"),
        ("https://example.com/a.jpg", "not fetched"),
        (np.full((2, 2, 3), np.nan), "NaN"),
        (np.full((2, 2, 3), 7.5), "scale to 0..1"),
        (np.zeros((2, 2, 3), np.int32), "dtype int32"),
        (np.zeros((3, 2, 2, 3), np.uint8), "shape"),
        (np.zeros((3, 20, 20), np.uint8), "transpose"),
        (np.zeros((0, 5, 3), np.uint8), "no pixels"),
        (3.5, "float"),
    ],
)
def test_what_is_no_image_is_refused_with_the_mend(source, words):
    with pytest.raises(ImageError, match=words):
        load_image(source)


def test_truncated_jpeg():
    data = encoded(PIL.Image.effect_noise((200, 200), 50).convert("RGB"), "JPEG")
    with pytest.raises(ImageError, match="damaged or cut short"):
        load_image(data[: len(data) // 2])


def test_missing_folder_empty_and_misnamed_files(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    for name, words in [
        ("none.png", "no such file"),
        (".", "folder"),
        ("empty.png", "empty"),
        ("text.jpg", "not an image"),
    ]:
        with pytest.raises(ImageError, match=words):
            load_image(tmp_path / name)


def test_caps_hold_before_decoding(tmp_path):
    path = tmp_path / "big.png"
    PIL.Image.new("RGB", (300, 300)).save(path)
    with pytest.raises(ImageError, match="bytes is over the cap"):
        load_image(path, ImageLimits(max_bytes=100))
    with pytest.raises(ImageError, match="over the caps"):
        load_image(path, ImageLimits(max_pixels=1000))


def test_digest_tells_shape_from_content():
    flat = load_image(np.zeros((2, 8, 3), np.uint8))
    tall = load_image(np.zeros((8, 2, 3), np.uint8))
    assert flat.digest() != tall.digest()
    assert flat.digest() == Image(np.zeros((2, 8, 3), np.uint8)).digest()
