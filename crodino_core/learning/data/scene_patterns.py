"""Painters of the procedural textures of the synthetic scenes.

Each returns float [SIZE, SIZE] or [SIZE, SIZE, 3], a factor of the surface's own colour.
"""

from collections.abc import Callable

import cv2
import numpy as np

SIZE = 256


Rng = np.random.Generator


Noise = Callable[[int], np.ndarray]


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    return x, y


def random_colour(rng: Rng, saturation: tuple[float, float] = (0.2, 0.9)) -> np.ndarray:
    """A random albedo, float32 [3] in 0..1."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(0.1, 0.9)]]])
    return cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB)[0, 0]


def _plaster(rng: Rng, noise: Noise) -> np.ndarray:
    return 1 + rng.uniform(0.005, 0.03) * noise(0) + rng.uniform(0.0, 0.03) * noise(2)


def _grain(rng: Rng, noise: Noise) -> np.ndarray:
    """Wood grain along u."""
    stretched = cv2.resize(noise(1)[:, : SIZE // 8], (SIZE, SIZE))
    wave = cv2.resize(noise(2)[:, : SIZE // 4], (SIZE, SIZE)) * rng.uniform(0.3, 1.2)
    rings = np.sin(wave + _grid()[1] * 2 * np.pi * rng.integers(4, 14))
    return 0.95 + 0.07 * stretched + rng.uniform(0.01, 0.07) * rings


def _planks(rng: Rng, noise: Noise) -> np.ndarray:
    image = _grain(rng, noise)
    rows = int(rng.choice([8, 16]))
    pitch = SIZE // rows
    contrast = rng.uniform(0.05, 0.25)
    for row in range(rows):
        cut = int(rng.integers(0, SIZE))
        strip = np.roll(image[row * pitch : (row + 1) * pitch], int(rng.integers(SIZE)), 1)
        half = (np.arange(SIZE) + cut) % SIZE < SIZE // 2
        strip = strip * np.where(half, *(1 + contrast * rng.uniform(-1, 1, 2)))
        strip[:, [cut, (cut + SIZE // 2) % SIZE]] *= 0.6
        strip[0] *= 0.6
        image[row * pitch : (row + 1) * pitch] = strip
    return image


def _tiles(rng: Rng, noise: Noise) -> np.ndarray:
    count = int(rng.choice([2, 4, 8]))
    tone = np.kron(1 + 0.08 * rng.standard_normal((count, count)), np.ones([SIZE // count] * 2))
    image = tone * (1 + 0.04 * noise(2))
    joint = (np.arange(SIZE) % (SIZE // count)) < 3
    level = rng.uniform(0.5, 1.2)
    image[joint], image[:, joint] = level, level
    return image


def _brick(rng: Rng, noise: Noise) -> np.ndarray:
    x, y = _grid()
    row = np.floor(y * 12)
    column = np.floor(x * 4 + 0.5 * (row % 2))
    tone = 1 + 0.15 * np.sin(row * 12.9 + (column % 4) * 78.2) + 0.08 * noise(1)
    joint = ((y * 12) % 1 < 0.14) | ((x * 4 + 0.5 * (row % 2)) % 1 < 0.05)
    return np.where(joint, 1.2, tone)


def _carpet(rng: Rng, noise: Noise) -> np.ndarray:
    return 0.9 + 0.1 * noise(0) + rng.uniform(0, 0.08) * noise(2)


def _stripes(rng: Rng, noise: Noise) -> np.ndarray:
    x, y = _grid()
    axis = (x, y, x + y)[int(rng.integers(3))]
    wave = np.sin(axis * 2 * np.pi * rng.integers(3, 14)) > rng.uniform(-0.5, 0.5)
    return (
        np.where(wave[..., None], np.ones(3), random_colour(rng))
        * (1 + 0.05 * noise(0))[..., None]
    )


def _pattern(rng: Rng, noise: Noise) -> np.ndarray:
    """Checks, chevrons, dots or plaid."""
    x, y = _grid()
    n = int(rng.integers(3, 10))
    kind = rng.integers(4)
    if kind == 0:
        mask = (np.floor(x * n) + np.floor(y * n)) % 2 == 0
    elif kind == 1:
        mask = (y * n + np.abs(((x * n) % 1) - 0.5)) % 1 < 0.5
    elif kind == 2:
        mask = ((x * n) % 1 - 0.5) ** 2 + ((y * n) % 1 - 0.5) ** 2 < 0.08
    else:
        mask = ((x * n) % 1 < 0.3) ^ ((y * n) % 1 < 0.3)
    image = np.where(mask[..., None], np.ones(3), random_colour(rng))
    return image * (1 + 0.05 * noise(0))[..., None]


def _marble(rng: Rng, noise: Noise) -> np.ndarray:
    veins = np.exp(-12 * np.abs(noise(2)))
    return 1 - rng.uniform(0.1, 0.5) * veins + 0.04 * noise(0)


def _picture(rng: Rng, noise: Noise) -> np.ndarray:
    """A landscape, an abstract painting or a print, mostly with mat and frame."""
    _, y = _grid()
    low, high = random_colour(rng), random_colour(rng)
    ramp = np.clip(y + 0.15 * noise(2), 0, 1)[..., None]
    image = (low * ramp + high * (1 - ramp)).astype(np.float32)
    kind = rng.integers(4)
    if kind == 0:
        horizon = rng.uniform(0.3, 0.7) + 0.08 * noise(2)[0]
        image = np.where((y > horizon)[..., None], random_colour(rng), image).astype(np.float32)
        image *= 1 + 0.15 * noise(1)[..., None]
    elif kind == 1:
        for _ in range(int(rng.integers(4, 14))):
            centre = tuple(int(c) for c in rng.integers(0, SIZE, 2))
            colour = tuple(float(c) for c in random_colour(rng, (0, 1)))
            cv2.circle(image, centre, int(rng.integers(8, 70)), colour, -1)
    elif kind == 2:
        for _ in range(int(rng.integers(4, 14))):
            a, b = rng.integers(0, SIZE, 2), rng.integers(0, SIZE, 2)
            colour = tuple(float(c) for c in random_colour(rng, (0, 1)))
            cv2.rectangle(image, [int(c) for c in a], [int(c) for c in b], colour, -1)
    else:
        paper = rng.uniform(0.6, 1.0)
        ink = noise(2) > rng.uniform(0.2, 1.0)
        image = np.where(ink[..., None], low, paper).astype(np.float32)
    return _framed(rng, image)


def _framed(rng: Rng, image: np.ndarray) -> np.ndarray:
    frame, mat = int(rng.integers(0, 18)), int(rng.choice([0, 0, 20, 40]))
    if mat:
        inner = SIZE - 2 * (frame + mat)
        small = cv2.resize(image, (inner, inner), interpolation=cv2.INTER_AREA)
        image = np.full((SIZE, SIZE, 3), rng.uniform(0.7, 0.95), np.float32)
        image[frame + mat : SIZE - frame - mat, frame + mat : SIZE - frame - mat] = small
    if frame:
        colour = random_colour(rng, (0, 0.5)) if rng.random() < 0.6 else np.full(3, 0.05)
        border = np.ones((SIZE, SIZE), bool)
        border[frame:-frame, frame:-frame] = False
        image = np.where(border[..., None], colour, image)
    return image


def _rug(rng: Rng, noise: Noise) -> np.ndarray:
    kind = rng.integers(4)
    if kind == 0:
        hide = noise(2) > rng.uniform(-0.3, 0.5)
        image = np.where(hide[..., None], random_colour(rng, (0.1, 0.5)), np.full(3, 0.75))
    elif kind == 1:
        image = _pattern(rng, noise) * random_colour(rng)
    elif kind == 2:
        image = np.tile(random_colour(rng, (0.0, 0.6)), (SIZE, SIZE, 1))
    else:
        image = _stripes(rng, noise) * random_colour(rng, (0, 0.6))
    image = np.array(image, np.float32)
    for inset in range(int(rng.integers(0, 4))):
        a, b = 8 + 16 * inset, SIZE - 9 - 16 * inset
        colour = tuple(float(c) for c in random_colour(rng))
        cv2.rectangle(image, (a, a), (b, b), colour, int(rng.integers(3, 12)))
    return image * (1 + 0.1 * noise(0))[..., None]


def _panels(rows: int, columns: int, bevel: int, depth: float) -> np.ndarray:
    """Recessed panels with a lit and a shaded bevel, float32 [SIZE, SIZE]."""
    image = np.ones((SIZE, SIZE), np.float32)
    high, wide = SIZE // rows, SIZE // columns
    margin_y, margin_x = max(high // 8, 6), max(wide // 6, 6)
    for row in range(rows):
        for column in range(columns):
            y0, y1 = row * high + margin_y, (row + 1) * high - margin_y
            x0, x1 = column * wide + margin_x, (column + 1) * wide - margin_x
            image[y0 : y0 + bevel, x0:x1] = 1 - depth
            image[y1 - bevel : y1, x0:x1] = 1 + depth / 2
            image[y0:y1, x0 : x0 + bevel] = 1 - depth / 2
            image[y0:y1, x1 - bevel : x1] = 1 + depth / 3
    return image


def _door(rng: Rng, noise: Noise) -> np.ndarray:
    rows, columns = int(rng.choice([1, 2, 3, 4])), int(rng.choice([1, 1, 2]))
    flat = rng.random() < 0.2
    image = np.ones((SIZE, SIZE), np.float32)
    if not flat:
        image = _panels(rows, columns, int(rng.integers(2, 5)), rng.uniform(0.1, 0.45))
    return image * (_grain(rng, noise) if rng.random() < 0.3 else 1 + 0.01 * noise(1))


def _front(rng: Rng, noise: Noise) -> np.ndarray:
    """Cabinet fronts: doors or drawers with gaps between them."""
    rows, columns = int(rng.choice([1, 1, 2, 3, 4])), int(rng.choice([1, 2, 2, 3]))
    shaker = rng.random() < 0.5
    image = _panels(rows, columns, 3, rng.uniform(0.1, 0.4)) if shaker else np.ones([SIZE] * 2)
    gap = rng.uniform(0.2, 0.6)
    for row in range(rows + 1):
        image[max(row * SIZE // rows - 2, 0) : row * SIZE // rows + 1] = gap
    for column in range(columns + 1):
        image[:, max(column * SIZE // columns - 2, 0) : column * SIZE // columns + 1] = gap
    for row in range(rows):
        for column in range(columns):
            y, x = int((row + 0.5) * SIZE / rows), int((column + 0.5) * SIZE / columns)
            half = int(rng.choice([4, 12]))
            image[y - 2 : y + 2, x - half : x + half] = 0.25
    return image * (_grain(rng, noise) if rng.random() < 0.3 else 1)


def _pane(rng: Rng, noise: Noise) -> np.ndarray:
    """What a window shows: blurred outdoors, a blind, or white."""
    _, y = _grid()
    sky, ground = np.array([0.85, 0.95, 1.1]), np.array([0.5, 0.6, 0.35]) * rng.uniform(0.5, 1.5)
    kind = rng.integers(4)
    image: np.ndarray = np.ones((SIZE, SIZE, 3), np.float32)
    if kind <= 1:
        horizon = rng.uniform(0.3, 0.9) + 0.12 * noise(2)
        image = np.where((y > horizon)[..., None], ground * (1 + 0.3 * noise(1))[..., None], sky)
    elif kind == 2:
        slats = (y * int(rng.integers(16, 32))) % 1
        image = image * (0.75 + 0.35 * slats)[..., None]
    columns, rows = int(rng.choice([1, 2, 2, 3])), int(rng.choice([1, 1, 2, 3]))
    bar = rng.uniform(0.2, 0.6)
    for column in range(columns + 1):
        image[:, max(column * SIZE // columns - 5, 0) : column * SIZE // columns + 5] = bar
    for row in range(rows + 1):
        image[max(row * SIZE // rows - 5, 0) : row * SIZE // rows + 5] = bar
    return image


def _curtain(rng: Rng, noise: Noise) -> np.ndarray:
    x, _ = _grid()
    return 0.85 + 0.2 * np.sin(x * 2 * np.pi * int(rng.integers(4, 9)) + 0.6 * noise(2))


def _books(rng: Rng, noise: Noise) -> np.ndarray:
    image = np.full((SIZE, SIZE, 3), 0.05, np.float32)
    x = 0
    while x < SIZE:
        wide = int(rng.integers(8, 26))
        top = int(rng.integers(0, 70))
        image[top:, x : x + wide - 1] = random_colour(rng, (0, 0.9))
        image[top + 20 : top + 26, x : x + wide - 1] *= 1.6
        x += wide
    return image


def _screen(rng: Rng, noise: Noise) -> np.ndarray:
    image = np.full((SIZE, SIZE, 3), 0.02, np.float32)
    if rng.random() < 0.5:
        shown = _picture(rng, noise) * rng.uniform(0.5, 1.2)
        image[8:-8, 6:-6] = cv2.resize(
            np.asarray(shown, np.float32), (SIZE - 12, SIZE - 16), interpolation=cv2.INTER_AREA
        )
    return image


def _vent(rng: Rng, noise: Noise) -> np.ndarray:
    _, y = _grid()
    image = np.where((y * int(rng.integers(5, 12))) % 1 < 0.4, 0.35, 1.0)
    image[:16], image[-16:], image[:, :16], image[:, -16:] = 1, 1, 1, 1
    return image


def _switch(rng: Rng, noise: Noise) -> np.ndarray:
    image = np.ones((SIZE, SIZE), np.float32)
    cv2.rectangle(image, (2, 2), (SIZE - 3, SIZE - 3), 0.6, 8)
    if rng.random() < 0.5:
        cv2.rectangle(image, (90, 60), (165, 195), 0.75, 8)
    else:
        for y in (80, 176):
            cv2.circle(image, (100, y), 14, 0.15, -1)
            cv2.circle(image, (156, y), 14, 0.15, -1)
    return image


def _glow(rng: Rng, noise: Noise) -> np.ndarray:
    x, y = _grid()
    radius = np.hypot(x - 0.5, y - 0.5)
    return np.clip(1.3 - 1.2 * radius, 0.4, None)


def _mottled(rng: Rng, noise: Noise) -> np.ndarray:
    return np.clip(0.9 + 0.25 * noise(1), 0.2, 2)


PAINTERS: dict[str, tuple[Callable[[Rng, Noise], np.ndarray], int]] = {
    'plaster': (_plaster, 2),
    'grain': (_grain, 2),
    'planks': (_planks, 2),
    'tiles': (_tiles, 2),
    'brick': (_brick, 1),
    'carpet': (_carpet, 1),
    'stripes': (_stripes, 1),
    'pattern': (_pattern, 2),
    'marble': (_marble, 1),
    'picture': (_picture, 6),
    'rug': (_rug, 3),
    'door': (_door, 2),
    'front': (_front, 4),
    'pane': (_pane, 2),
    'curtain': (_curtain, 1),
    'books': (_books, 2),
    'screen': (_screen, 2),
    'vent': (_vent, 1),
    'switch': (_switch, 1),
    'glow': (_glow, 1),
    'mottled': (_mottled, 1),
}
