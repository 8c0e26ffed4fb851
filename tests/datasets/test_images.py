"""Loading one image file; expected values come from NumPy, a closed form or the definition of the format."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.datasets.images import BadImage, load

COLOUR = (200, 120, 40)
LUMA = round(0.299 * 200 + 0.587 * 120 + 0.114 * 40)  # ITU-R BT.601


def written(folder, image, name="image.png", **options):
    path = folder / name
    image.save(path, **options)
    return str(path)


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def coordinates(height, width):
    """An image whose red is the column and whose green is the row of each pixel."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns % 256, rows % 256, columns // 256], axis=-1).astype(np.uint8)


def noise(height=96, width=96):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


# Crops


@pytest.mark.parametrize("height, width, side", [(256, 455, 108), (120, 160, 64), (121, 161, 64), (65, 64, 64)])
def test_a_crop_of_n_is_the_central_n_pixels(tmp_path, height, width, side):
    picture = coordinates(height, width)
    got = load(written(tmp_path, Image.fromarray(picture)), side, str(side), 3)
    top, left = (height - side) // 2, (width - side) // 2
    np.testing.assert_array_equal(got, picture[top : top + side, left : left + side])


@pytest.mark.parametrize("height, width", [(64, 91), (91, 64), (64, 64)])
def test_square_is_the_largest_central_one(tmp_path, height, width):
    picture = coordinates(height, width)
    got = load(written(tmp_path, Image.fromarray(picture)), 64, "square", 3)
    top, left = (height - 64) // 2, (width - 64) // 2
    np.testing.assert_array_equal(got, picture[top : top + 64, left : left + 64])


def test_none_resizes_the_whole_image(tmp_path):
    got = load(written(tmp_path, Image.fromarray(coordinates(64, 192))), 64, "none", 3).astype(float)
    # A symmetric filter keeps a ramp: the centre of new column i is at old column 3 i + 1.
    inner = slice(3, -3)
    np.testing.assert_allclose(got[:, inner, 0], np.tile(3 * np.arange(64) + 1, (64, 1))[:, inner], atol=1)
    np.testing.assert_array_equal(got[:, :, 1], np.tile(np.arange(64)[:, None], 64))


def test_pixels_outside_the_crop_have_no_influence(tmp_path):
    picture = np.full((256, 455, 3), 255, np.uint8)
    picture[74:182, 173:281] = 0
    assert load(written(tmp_path, Image.fromarray(picture)), 64, "108", 3).max() == 0


@pytest.mark.parametrize("size", [(107, 200), (200, 107), (1, 1)])
def test_an_image_smaller_than_the_crop_is_left_out(tmp_path, size):
    path = written(tmp_path, Image.new("RGB", size))
    with pytest.raises(BadImage, match=r"^smaller than the crop of 108 px$"):
        load(path, 64, "108", 3)


def test_a_single_pixel_fills_the_image(tmp_path):
    got = load(written(tmp_path, Image.new("RGB", (1, 1), COLOUR)), 32, "square", 3)
    np.testing.assert_array_equal(got, np.broadcast_to(COLOUR, (32, 32, 3)))


# Resizing


def keys_bicubic(signal, size):
    """Resize rows with Keys' cubic (1981, a = -1/2), stretched by the scale so that it is also the low-pass filter."""
    length = len(signal)
    scale = length / size
    distance = np.abs((np.arange(length) + 0.5 - (np.arange(size)[:, None] + 0.5) * scale) / scale)
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return (weights / weights.sum(1, keepdims=True)) @ signal


@pytest.mark.parametrize("side, size", [(108, 64), (256, 64), (100, 32)])
def test_resizing_is_the_antialiased_bicubic_of_keys(tmp_path, side, size):
    picture = np.asarray(noise(side, side)) // 2 + 64  # overshoots stay within 0..255, so nothing is clipped
    got = load(written(tmp_path, Image.fromarray(picture)), size, "square", 3)
    for channel in range(3):
        expected = keys_bicubic(keys_bicubic(picture[..., channel].astype(float), size).T, size).T
        # Two passes, each rounded to 8 bits.
        np.testing.assert_allclose(got[..., channel], expected, atol=2)


def test_a_fine_checkerboard_becomes_flat_grey(tmp_path):
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    got = load(written(tmp_path, Image.fromarray(board)), 64, "square", 3).astype(float)
    np.testing.assert_allclose(got[1:-1, 1:-1], 127.5, atol=1)
    np.testing.assert_allclose(got, 127.5, atol=8)  # at the edges the filter averages fewer pixels


def test_a_slow_wave_keeps_its_shape(tmp_path):
    def wave(size):
        return 127.5 + 100 * np.cos(2 * np.pi * 2 * (np.arange(size) + 0.5) / size)

    picture = np.rint(np.tile(wave(256), (256, 1))).astype(np.uint8)
    got = load(written(tmp_path, Image.fromarray(picture)), 64, "square", 1)[..., 0]
    np.testing.assert_allclose(got[:, 3:-3], np.tile(wave(64), (64, 1))[:, 3:-3], atol=2)


# Modes and formats


def flat(mode):
    return Image.new("RGB", (40, 50), COLOUR).convert(mode)


UNIFORM = {
    "RGB JPEG": ("RGB", "JPEG", {"quality": 100, "subsampling": 0}, COLOUR, 2),
    "progressive JPEG": ("RGB", "JPEG", {"quality": 100, "progressive": True}, COLOUR, 2),
    "CMYK JPEG": ("CMYK", "JPEG", {"quality": 100}, COLOUR, 3),
    "L JPEG": ("L", "JPEG", {"quality": 100}, (LUMA,) * 3, 2),
    "RGB PNG": ("RGB", "PNG", {}, COLOUR, 0),
    "RGBA PNG": ("RGBA", "PNG", {}, COLOUR, 0),
    "L PNG": ("L", "PNG", {}, (LUMA,) * 3, 1),
    "LA PNG": ("LA", "PNG", {}, (LUMA,) * 3, 1),
    "RGB BMP": ("RGB", "BMP", {}, COLOUR, 0),
    "L BMP": ("L", "BMP", {}, (LUMA,) * 3, 1),
    "WebP": ("RGB", "WEBP", {"lossless": True}, COLOUR, 0),
    "RGBA WebP": ("RGBA", "WEBP", {"lossless": True}, COLOUR, 0),
    "TIFF": ("RGB", "TIFF", {"compression": "tiff_lzw"}, COLOUR, 0),
    "CMYK TIFF": ("CMYK", "TIFF", {}, COLOUR, 0),
    "PPM": ("RGB", "PPM", {}, COLOUR, 0),
    "TGA": ("RGB", "TGA", {}, COLOUR, 0),
    "JPEG 2000": ("RGB", "JPEG2000", {}, COLOUR, 0),
}


@pytest.mark.parametrize("kind", UNIFORM)
@pytest.mark.parametrize("name", ["image", "image.jpg"])
def test_a_uniform_colour_is_kept_in_every_format_under_any_name(tmp_path, kind, name):
    mode, format, options, expected, tolerance = UNIFORM[kind]
    path = written(tmp_path, flat(mode), name, format=format, **options)
    got = load(path, 32, "square", 3)
    np.testing.assert_allclose(got.astype(int), np.broadcast_to(expected, (32, 32, 3)), atol=tolerance)


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP"])
def test_palettes_are_looked_up(tmp_path, format):
    image = Image.new("P", (40, 40), 1)
    image.putpalette([0, 0, 0, *COLOUR, 9, 9, 9])
    got = load(written(tmp_path, image, "image", format=format), 32, "square", 3)
    np.testing.assert_array_equal(got, np.broadcast_to(COLOUR, (32, 32, 3)))


def test_black_and_white(tmp_path):
    picture = np.zeros((32, 32), bool)
    picture[:, 16:] = True
    got = load(written(tmp_path, Image.fromarray(picture)), 32, "square", 1)
    np.testing.assert_array_equal(got[..., 0], picture * 255)


def test_partial_transparency_is_composited_on_white(tmp_path):
    got = load(written(tmp_path, Image.new("RGBA", (32, 32), (*COLOUR, 64))), 32, "square", 3)
    expected = np.array(COLOUR) * 64 / 255 + 255 * (1 - 64 / 255)
    np.testing.assert_allclose(got, np.broadcast_to(expected, (32, 32, 3)), atol=1)


def test_grey_with_transparency_is_composited_on_white(tmp_path):
    got = load(written(tmp_path, Image.new("LA", (32, 32), (100, 51))), 32, "square", 1)
    np.testing.assert_allclose(got, 100 * 0.2 + 255 * 0.8, atol=1)


@pytest.mark.parametrize(
    "format, transparency",
    [("GIF", 1), ("PNG", 1), ("PNG", bytes([255, 0, 255]))],
    ids=["GIF's index", "PNG's index", "PNG's alpha of each"],
)
def test_the_transparent_colour_of_a_palette_becomes_white(tmp_path, format, transparency):
    picture = np.zeros((32, 32), np.uint8)
    picture[:, 16:] = 1
    image = Image.fromarray(picture)
    image.putpalette([*COLOUR, 255, 0, 0, 9, 9, 9])
    got = load(written(tmp_path, image, "image", format=format, transparency=transparency), 32, "square", 3)
    np.testing.assert_array_equal(got[:, :16], np.broadcast_to(COLOUR, (32, 16, 3)))
    np.testing.assert_array_equal(got[:, 16:], np.full((32, 16, 3), 255))


@pytest.mark.parametrize("mode, key", [("RGB", (10, 20, 30)), ("L", 77)])
def test_the_transparent_colour_of_a_png_becomes_white(tmp_path, mode, key):
    image = Image.new(mode, (32, 32), key)
    image.putpixel((0, 0), 0)
    got = load(written(tmp_path, image, transparency=key), 32, "square", 3)
    assert got[0, 0].tolist() == [0, 0, 0] and got[5, 5].tolist() == [255, 255, 255]


SIXTEEN = np.linspace(0, 65535, 32 * 32).round().astype(np.uint16).reshape(32, 32)


@pytest.mark.parametrize("name", ["grey.png", "grey.tiff", "grey.pgm"])
def test_16_bits_are_scaled_not_clipped(tmp_path, name):
    if name == "grey.pgm":  # the format's definition: big-endian above 255
        (tmp_path / name).write_bytes(b"P5 32 32 65535\n" + SIXTEEN.astype(">u2").tobytes())
    else:
        Image.fromarray(SIXTEEN).save(tmp_path / name)
    got = load(str(tmp_path / name), 32, "square", 1)[..., 0]
    np.testing.assert_array_equal(got, np.rint(SIXTEEN / 257))  # 65535 / 255


def test_16_bits_in_big_endian_tiff(tmp_path):
    pixels = SIXTEEN.astype(">u2").tobytes()
    tags = [(256, 32), (257, 32), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 32), (279, len(pixels))]
    directory = b"".join(
        struct.pack(">HHIHH", tag, 3, 1, value, 0) if value < 65536 else struct.pack(">HHII", tag, 4, 1, value)
        for tag, value in tags
    )
    header = b"MM\0*" + struct.pack(">I", 8 + len(pixels))
    (tmp_path / "a.tif").write_bytes(header + pixels + struct.pack(">H", len(tags)) + directory + bytes(4))
    got = load(str(tmp_path / "a.tif"), 32, "square", 1)[..., 0]
    np.testing.assert_array_equal(got, np.rint(SIXTEEN / 257))


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_float_tiffs_of_either_range(tmp_path, peak):
    values = np.linspace(0, peak, 32 * 32, dtype=np.float32).reshape(32, 32)
    got = load(written(tmp_path, Image.fromarray(values), "float.tiff"), 32, "square", 1)[..., 0]
    np.testing.assert_allclose(got, values / peak * 255, atol=0.51)


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (32, 32), colour) for colour in (COLOUR, (0, 0, 255))]
    path = written(tmp_path, frames[0], "moving.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(load(path, 32, "square", 3), np.broadcast_to(COLOUR, (32, 32, 3)))


def test_grey_is_the_luma_of_bt_601(tmp_path):
    picture = np.asarray(noise(32, 32))
    got = load(written(tmp_path, Image.fromarray(picture)), 32, "square", 1)
    assert got.shape == (32, 32, 1) and got.dtype == np.uint8
    np.testing.assert_allclose(got[..., 0], picture @ [0.299, 0.587, 0.114], atol=1)


# Orientation (TIFF 6.0, tag 274): how stored rows and columns appear to the viewer

UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("format, tolerance", [("PNG", 0), ("JPEG", 3), ("TIFF", 0), ("WEBP", 0)])
def test_the_image_is_turned_upright_before_it_is_cropped(tmp_path, orientation, format, tolerance):
    stored = coordinates(32, 64) * 4  # not square, so a wrong orientation crops another part
    exif = Image.Exif()
    exif[274] = orientation
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    path = written(tmp_path, Image.fromarray(stored), "image", format=format, exif=exif, **options)
    upright = UPRIGHT[orientation](stored)
    top, left = (upright.shape[0] - 32) // 2, (upright.shape[1] - 32) // 2
    expected = upright[top : top + 32, left : left + 32].astype(int)
    np.testing.assert_allclose(load(path, 32, "square", 3).astype(int), expected, atol=tolerance)


def with_exif(jpeg, body):
    segment = b"Exif\0\0" + body
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


@pytest.mark.filterwarnings("ignore")  # Pillow warns about odd metadata; packing suppresses that
@pytest.mark.parametrize(
    "entry",
    [
        struct.pack("<HHII", 0x010E, 11, 1, 0x3F800000),  # a description that is a float
        struct.pack("<HHII", 0x9000, 12, 1000, 60000),  # a version whose offset is past the end of the file
        struct.pack("<HHII", 0xA005, 7, 4, 0xFFFFFFFF),  # a directory whose offset is invalid
        struct.pack("<HHII", 0x0128, 2, 4, 0x41414141),  # a unit that is text
    ],
)
def test_images_with_odd_metadata_are_loaded_with_their_orientation(tmp_path, entry):
    stored = np.zeros((64, 64, 3), np.uint8)
    stored[:16] = 255  # the first row is the right side (orientation 6)
    orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    entries = b"".join(sorted([entry, orientation], key=lambda e: struct.unpack("<H", e[:2])))
    jpeg = encoded(Image.fromarray(stored), "JPEG", quality=95)
    path = tmp_path / "odd.jpg"
    path.write_bytes(with_exif(jpeg, b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4)))
    got = load(str(path), 64, "square", 1)[..., 0]
    np.testing.assert_allclose(got, np.rot90(stored[..., 0], -1), atol=12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("body", [b"", b"garbage", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"])
def test_images_with_invalid_metadata_are_loaded(tmp_path, body):
    path = tmp_path / "odd.jpg"
    path.write_bytes(with_exif(encoded(flat("RGB"), "JPEG", quality=95), body))
    np.testing.assert_allclose(load(str(path), 32, "square", 3).mean((0, 1)), COLOUR, atol=2)


# Files that are not images


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("lost", [1, 2, 3, 100, 0.1, 0.5, 0.9])
def test_a_truncated_jpeg_is_left_out_wherever_it_ends(tmp_path, progressive, lost):
    data = encoded(noise(), "JPEG", progressive=progressive)
    lost = lost if lost >= 1 else int(lost * len(data))
    (tmp_path / "cut.jpg").write_bytes(data[:-lost])
    with pytest.raises(BadImage, match=r"^(damaged or truncated|not an image)$"):
        load(str(tmp_path / "cut.jpg"), 32, "square", 3)


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "TGA", "JPEG2000"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_other_formats_without_all_their_pixels_are_left_out(tmp_path, format, kept):
    data = encoded(noise(), format)
    (tmp_path / "cut").write_bytes(data[: int(kept * len(data))])
    with pytest.raises(BadImage, match=r"^(damaged or truncated|not an image)$"):
        load(str(tmp_path / "cut"), 32, "square", 3)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty file"),
        (b"0.jpg 1.5\n" * 20, "not an image"),
        (b"<html><body>404</body></html>", "not an image"),
        (np.random.default_rng(1).bytes(5000), "not an image"),
        (bytes(5000), "not an image"),
        (b"\xff\xd8", "not an image"),
        (b"\xff\xd8\xff\xe0", "not an image"),
        (b"\x89PNG\r\n\x1a\n", "not an image"),
        (b"P6 0 0 255\n", "not an image"),
        (EPS, "not an image"),  # Pillow would hand it to Ghostscript
    ],
)
@pytest.mark.parametrize("name", ["image.jpg", "image.png", "image.eps", "image"])
def test_the_reason_names_the_problem(tmp_path, data, reason, name):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadImage, match=f"^{reason}$"):
        load(str(tmp_path / name), 32, "square", 3)


def test_a_missing_file_and_a_folder_are_left_out(tmp_path):
    with pytest.raises(BadImage, match=r"^missing$"):
        load(str(tmp_path / "gone.jpg"), 32, "square", 3)
    with pytest.raises(BadImage):
        load(str(tmp_path), 32, "square", 3)


# Decompression bombs: small files that announce gigabytes


def png_header(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


def gif_header(width, height):
    size = struct.pack("<HH", width, height)
    palette = bytes(6)
    return b"GIF89a" + size + b"\x80\0\0" + palette + b"," + bytes(4) + size + b"\0" + b"\x02\x02\x44\x01\0;"


def bmp_header(width, height):
    return (
        b"BM"
        + struct.pack("<IHHI", 100_054, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        + bytes(100_000)
    )


def jpeg_header(width, height):
    small = encoded(flat("RGB"), "JPEG")
    frame = small.index(b"\xff\xc0") + 5
    return small[:frame] + struct.pack(">HH", height, width) + small[frame + 4 :]


def ppm_header(width, height):
    return b"P6 %d %d 255\n" % (width, height) + bytes(100_000)


MEASURE = """
import resource, sys
from dcgan_tf.datasets.images import BadImage, load
load(sys.argv[1], 64, "square", 3)  # loads what is imported on first use
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[2:]:
    try:
        load(path, 64, "square", 3)
        print("it was decoded")
    except BadImage as reason:
        print(reason)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, "MiB")
"""


def test_a_decompression_bomb_is_refused_before_it_takes_memory(tmp_path):
    pytest.importorskip("resource", reason="the memory of a process is measured as on Unix")
    # 60,000 squared is 3.6e9 pixels; 9,500 squared is just above what is allowed (Pillow itself only warns there).
    bombs = [
        (header, side)
        for header in (png_header, gif_header, bmp_header, jpeg_header, ppm_header)
        for side in (60_000, 9_500)
    ]
    paths = []
    for header, side in bombs:
        paths.append(tmp_path / f"{header.__name__}{side}")
        paths[-1].write_bytes(header(side, side))
    good = written(tmp_path, noise(), "good.gif")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEASURE, good, *paths], capture_output=True, text=True, check=True
    )
    *reasons, used = done.stdout.splitlines()
    assert reasons == ["too many pixels (decompression bomb)"] * len(bombs)
    assert int(used.split()[0]) < 32  # one of 9,500 squared takes 270 MB or more


def test_the_headers_of_the_bombs_are_valid_at_a_small_size(tmp_path):
    # Otherwise the test above would also pass if the headers were malformed.
    for header in (png_header, gif_header, bmp_header, jpeg_header, ppm_header):
        path = tmp_path / header.__name__
        path.write_bytes(header(40, 50))
        with Image.open(path) as image:
            assert image.size == (40, 50)
