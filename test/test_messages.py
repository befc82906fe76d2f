"""Decoding of ROS image messages."""

import cv2
import numpy as np
import pytest
import small_bag
from small_bag import compressed_message, image_message

from crodino_core.errors import CrodinoError
from crodino_ros.messages import (
    COLOR_ENCODINGS,
    UnsupportedEncodingError,
    decode_color,
    decode_depth,
    decode_label,
    encode_image,
    set_stamp,
    stamp_ns,
)

COLOR = small_bag.color_of(0, (8, 12))
DEPTH = small_bag.depth_of(0, (8, 12))
FLAT = np.full((8, 12, 3), (180, 90, 30), np.uint8)
ALPHA = np.full((8, 12, 1), 7, np.uint8)

EXACT = {
    'rgb8': COLOR,
    'bgr8': COLOR[..., ::-1],
    'rgba8': np.dstack([COLOR, ALPHA]),
    'bgra8': np.dstack([COLOR[..., ::-1], ALPHA]),
}


@pytest.mark.parametrize('encoding', EXACT)
@pytest.mark.parametrize('padding', [0, 5])
def test_color_is_rgb_whatever_the_encoding_and_the_row_padding(encoding, padding):
    image = decode_color(image_message(EXACT[encoding], encoding, padding=padding))
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, COLOR)


def test_mono8_becomes_grey():
    gray = COLOR[..., 0]
    expected = np.repeat(gray[..., None], 3, axis=2)
    np.testing.assert_array_equal(decode_color(image_message(gray, 'mono8')), expected)


@pytest.mark.parametrize(
    ('encoding', 'chroma_first'),
    [('yuv422', True), ('uyvy', True), ('yuv422_yuy2', False), ('yuyv', False)],
)
def test_yuv_is_converted(encoding, chroma_first):
    y, u, v = cv2.cvtColor(FLAT, cv2.COLOR_RGB2YUV)[0, 0]
    pair = [u, y, v, y] if chroma_first else [y, u, y, v]
    packed = np.tile(np.array(pair, np.uint8), (8, 6)).reshape(8, 12, 2)
    image = decode_color(image_message(packed, encoding))
    # OpenCV's YUV is full range, a camera's is not: the hue is what must be right.
    assert image.shape == (8, 12, 3)
    assert image[4, 4, 0] > image[4, 4, 1] > image[4, 4, 2]


@pytest.mark.parametrize(
    ('encoding', 'first_row', 'second_row'),
    [('rggb', 'rg', 'gb'), ('bggr', 'bg', 'gr'), ('gbrg', 'gb', 'rg'), ('grbg', 'gr', 'bg')],
)
def test_bayer_is_converted(encoding, first_row, second_row):
    levels = dict(zip('rgb', FLAT[0, 0], strict=True))
    cell = np.array([[levels[c] for c in first_row], [levels[c] for c in second_row]], np.uint8)
    image = decode_color(image_message(np.tile(cell, (4, 6)), f'bayer_{encoding}8'))
    np.testing.assert_array_equal(image[3, 5], FLAT[0, 0])


@pytest.mark.parametrize('encoding', ['jpeg', 'png'])
def test_compressed_color_is_rgb(encoding):
    image = decode_color(small_bag.color_message(FLAT, encoding))
    assert np.abs(image.astype(int) - FLAT).max() <= (3 if encoding == 'jpeg' else 0)


def test_a_grey_jpeg_becomes_three_channels():
    data = cv2.imencode('.jpg', FLAT[..., 0])[1].tobytes()
    assert decode_color(compressed_message(data, 'mono8; jpeg compressed mono8')).shape == (
        8,
        12,
        3,
    )


@pytest.mark.parametrize('encoding', ['16UC1', 'mono16'])
def test_16_bit_depth_is_millimetres(encoding):
    millimetres = np.round(DEPTH * 1000).astype(np.uint16)
    depth = decode_depth(image_message(millimetres, encoding, padding=2))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, DEPTH, atol=1e-6)
    assert (depth[0] == 0).all()


def test_float_depth_is_metres_and_keeps_what_is_invalid():
    values = DEPTH.copy()
    values[1, :3] = [np.nan, np.inf, -np.inf]
    np.testing.assert_array_equal(decode_depth(image_message(values, '32FC1')), values)


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_big_endian_depth_is_turned_around(encoding):
    values = np.round(DEPTH * 1000).astype(np.uint16) if encoding == '16UC1' else DEPTH
    message = image_message(values.byteswap(), encoding, is_bigendian=1)
    np.testing.assert_allclose(decode_depth(message), DEPTH, atol=1e-6)


@pytest.mark.parametrize('suffix', [' png', ''])
def test_compressed_depth_in_millimetres(suffix):
    message = small_bag.depth_message(DEPTH, 'compressedDepth')
    message.format = f'16UC1; compressedDepth{suffix}'
    np.testing.assert_allclose(decode_depth(message), DEPTH, atol=1e-6)


def test_compressed_depth_of_float_images_is_inverse_depth():
    a, b = 5.0, 0.4
    levels = np.array([[0, 10, 100]], np.uint16)
    head = np.int32(0).tobytes() + np.array([a, b], '<f4').tobytes()
    data = head + cv2.imencode('.png', levels)[1].tobytes()
    depth = decode_depth(compressed_message(data, '32FC1; compressedDepth png'))
    np.testing.assert_allclose(depth, [[np.nan, a / (10 - b), a / (100 - b)]], rtol=1e-5)


def test_a_bare_16_bit_png_is_depth_too():
    data = cv2.imencode('.png', np.round(DEPTH * 1000).astype(np.uint16))[1].tobytes()
    depth = decode_depth(compressed_message(data, '16UC1; png compressed'))
    np.testing.assert_allclose(depth, DEPTH, atol=1e-6)


def test_an_unsupported_encoding_is_named_with_the_supported_ones():
    with pytest.raises(UnsupportedEncodingError, match=r"'nv12' is not supported.*rgb8.*bayer"):
        decode_color(image_message(COLOR, 'nv12'))
    with pytest.raises(UnsupportedEncodingError, match=r"'rgb8' is not supported.*16UC1"):
        decode_depth(image_message(COLOR, 'rgb8'))


@pytest.mark.parametrize(
    ('data', 'form', 'reason'),
    [
        (b'\xff\xd8\xff\xe0 and so on', '16UC1; jpeg compressed', 'destroys depth'),
        (bytes(64), '16UC1; compressedDepth rvl', 'RVL'),
        (bytes(12) + cv2.imencode('.png', FLAT)[1].tobytes(), '16UC1; compressedDepth', '16 bit'),
    ],
)
def test_depth_that_cannot_be_decoded_is_explained(data, form, reason):
    with pytest.raises(UnsupportedEncodingError, match=reason):
        decode_depth(compressed_message(data, form))


@pytest.mark.parametrize('change', [{'step': 10}, {'height': 0}, {'width': 0}, {'height': 9}])
def test_an_image_that_lies_about_itself_is_refused(change):
    with pytest.raises(CrodinoError, match=r'image (claims|is empty|is cut off)'):
        decode_color(image_message(COLOR, 'rgb8', **change))


@pytest.mark.parametrize('decode', [decode_color, decode_depth])
def test_a_damaged_png_is_refused(decode):
    data = bytes(12 * (decode is decode_depth)) + b'\x89PNG\r\n\x1a\nrest'
    with pytest.raises(CrodinoError, match='damaged'):
        decode(compressed_message(data, '16UC1; compressedDepth png'))


def test_an_odd_width_does_not_fit_yuv():
    with pytest.raises(CrodinoError, match='even width'):
        decode_color(image_message(np.zeros((4, 5, 2), np.uint8), 'yuyv'))


def test_a_label_is_taken_as_it_is_and_nothing_but_mono8():
    label = small_bag.label_of(2)
    np.testing.assert_array_equal(decode_label(image_message(label, 'mono8', padding=3)), label)
    with pytest.raises(UnsupportedEncodingError, match='label'):
        decode_label(image_message(COLOR, 'rgb8'))


@pytest.mark.parametrize('image', [COLOR, COLOR[..., 0], COLOR[:, ::2]])
def test_an_encoded_image_decodes_to_itself(image):
    header = small_bag.header(1_500_000_007)
    message = encode_image(small_bag.TYPES.types['sensor_msgs/msg/Image'], header, image)
    assert (message.height, message.width) == image.shape[:2]
    assert stamp_ns(message.header) == 1_500_000_007
    decoded = decode_color(message)
    np.testing.assert_array_equal(decoded if image.ndim == 3 else decoded[..., 0], image)


@pytest.mark.parametrize('stamp', [0, 999_999_999, 1_700_000_000_000_000_007])
def test_a_stamp_that_is_written_is_the_one_that_is_read(stamp):
    header = small_bag.header(5)
    set_stamp(header, stamp)
    assert stamp_ns(header) == stamp
    assert (header.stamp.sec, header.stamp.nanosec) == divmod(stamp, 10**9)


def test_every_encoding_in_the_list_decodes():
    for encoding, size in COLOR_ENCODINGS.items():
        image = decode_color(image_message(np.zeros((4, 6, size), np.uint8), encoding))
        assert image.shape == (4, 6, 3), encoding
