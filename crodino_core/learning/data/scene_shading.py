"""Colours of the pixels of a synthetic scene: textures, lights, exposure, camera noise."""

from dataclasses import dataclass

import cv2
import numpy as np

from .scene_camera import Camera
from .scene_primitives import CYLINDER, ELLIPSOID, FLOOR, PrimitiveTable
from .scene_render import Hits
from .scene_textures import TextureBank


@dataclass(frozen=True)
class Light:
    """A point light; position [3] metres, colour [3] linear, radiant strength at one metre."""

    position: np.ndarray
    colour: np.ndarray


@dataclass(frozen=True)
class FloorMap:
    """Light on the floor relative to an empty room: contact shadows (< 1), sun patches (> 1).

    image: float32 [rows, columns], row along world y; origin: [2] metres; cell: metres."""

    image: np.ndarray
    origin: np.ndarray
    cell: float


@dataclass(frozen=True)
class Lighting:
    """Lights of a scene and the camera's answer to them."""

    lights: list[Light]
    ambient: np.ndarray
    floor_map: FloorMap
    exposure: float
    white_balance: np.ndarray
    noise: float
    softness: float


def shade(
    hits: Hits,
    table: PrimitiveTable,
    textures: TextureBank,
    lighting: Lighting,
    camera_to_world: np.ndarray,
    camera: Camera,
) -> np.ndarray:
    """Linear colour float32 [H, W, 3] before exposure."""
    seen = hits.index >= 0
    row = hits.index[seen]
    depth = hits.depth[seen]
    y, x = np.nonzero(seen)
    rays = np.stack(
        [(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(len(x))], axis=1
    ).astype(np.float32)
    rays = rays @ camera_to_world[:3, :3].T.astype(np.float32)
    points = rays * depth[:, None] + camera_to_world[:3, 3].astype(np.float32)
    local, normal = _surface(table, row, hits.axis[seen], points)
    facing = np.abs(np.einsum('ni,ni->n', normal, rays)) / np.linalg.norm(rays, axis=1)
    albedo = table.colour[row] * _texture(
        table, textures, row, local, depth / camera.fx / np.maximum(facing, 0.15)
    )
    light = _irradiance(lighting, points, normal)
    is_floor = table.label[row] == FLOOR
    light[is_floor] *= _floor_light(lighting.floor_map, points[is_floor])[:, None]
    light *= _ambient_occlusion(hits.depth)[seen][:, None]
    colour = albedo * light
    glow = table.glow[row]
    lit = glow > 0
    colour[lit] += albedo[lit] * glow[lit, None]
    glossy = table.gloss[row] > 0
    colour[glossy] += _highlights(
        lighting, points[glossy], normal[glossy], rays[glossy], table.gloss[row[glossy]]
    )
    image = np.full((*hits.index.shape, 3), 1.5, np.float32)
    image[seen] = colour
    return image


def _surface(
    table: PrimitiveTable, row: np.ndarray, axis: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Local coordinates and outward world normals, each float32 [N, 3]."""
    centre, rotation = table.centre.astype(np.float32), table.rotation.astype(np.float32)
    half = table.half.astype(np.float32)
    turn = rotation[row]
    local = np.einsum('nji,nj->ni', turn, points - centre[row])
    normal = np.zeros_like(local)
    flat = axis < 3
    pick = np.flatnonzero(flat)
    normal[pick, axis[pick]] = np.sign(local[pick, axis[pick]])
    curved = ~flat
    if curved.any():
        bent = local[curved] / half[row[curved]] ** 2
        bent[table.shape[row[curved]] == CYLINDER, 2] = 0
        normal[curved] = bent / np.maximum(np.linalg.norm(bent, axis=1, keepdims=True), 1e-6)
    return local, np.einsum('nij,nj->ni', turn, normal)


_IN_PLANE = np.array([[1, 2], [0, 2], [0, 1], [0, 2]])


def _texture(
    table: PrimitiveTable,
    textures: TextureBank,
    row: np.ndarray,
    local: np.ndarray,
    pixel_width: np.ndarray,
) -> np.ndarray:
    """Texture colour at local points; pixel_width: width of a pixel on the surface, metres."""
    index = table.texture[row]
    result = np.ones((len(row), 3), np.float32)
    textured = np.flatnonzero(index > 0)
    if not len(textured):
        return result
    row, local, index = row[textured], local[textured], index[textured]
    half = table.half[row].astype(np.float32)
    # The face is the axis that reaches its extent; on a curved side the widest view will do.
    face = np.argmax(np.abs(local) / half, axis=1)
    face = np.where(table.shape[row] == ELLIPSOID, 1, face)
    axes = _IN_PLANE[face]
    number = np.arange(len(row))
    p, q = local[number, axes[:, 0]], local[number, axes[:, 1]]
    hp, hq = half[number, axes[:, 0]], half[number, axes[:, 1]]
    scale = table.scale[row]
    fit = scale == 0
    safe = np.where(fit, 1, scale)
    # Offsets by row keep two boards of one material from showing the same grain.
    u = np.where(fit, (p + hp) / (2 * hp), p / safe + (row * 0.37) % 1)
    v = np.where(fit, (hq - q) / (2 * hq), -q / safe + (row * 0.61) % 1)
    width = np.where(fit, 2 * np.minimum(hp, hq), safe)
    # A stretched texture must not wrap at its border.
    u, v = np.where(fit, np.clip(u, 0.002, 0.998), u), np.where(fit, np.clip(v, 0.002, 0.998), v)
    sampled = textures.sample(index, u, v, pixel_width[textured] / width)
    sampled[fit & (face != table.fit_axis[row])] = 1
    result[textured] = sampled
    return result


def _irradiance(lighting: Lighting, points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    # Light bounces: sides facing up get more than those facing down.
    total = lighting.ambient * (0.85 + 0.15 * normal[:, 2:3])
    for light in lighting.lights:
        towards = light.position.astype(np.float32) - points
        square = np.einsum('ni,ni->n', towards, towards)
        cosine = np.einsum('ni,ni->n', towards, normal) / np.sqrt(square + 1e-6)
        # Wrapped cosine and softened falloff: the lights are areas, not points.
        strength = np.clip(0.15 + 0.85 * cosine, 0, None) / (0.8 + square)
        total = total + strength[:, None] * light.colour
    return total.astype(np.float32)


def _highlights(
    lighting: Lighting,
    points: np.ndarray,
    normal: np.ndarray,
    rays: np.ndarray,
    gloss: np.ndarray,
) -> np.ndarray:
    view = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    mirrored = view - 2 * np.einsum('ni,ni->n', view, normal)[:, None] * normal
    total = np.zeros((len(points), 3), np.float32)
    for light in lighting.lights:
        towards = light.position.astype(np.float32) - points
        towards /= np.linalg.norm(towards, axis=1, keepdims=True) + 1e-6
        aligned = np.clip(np.einsum('ni,ni->n', towards, mirrored), 0, 1) ** 24
        total += (gloss * aligned)[:, None] * light.colour.astype(np.float32)
    return total


def _floor_light(floor_map: FloorMap, points: np.ndarray) -> np.ndarray:
    place = (points[:, :2] - floor_map.origin) / floor_map.cell - 0.5
    rows, columns = floor_map.image.shape
    x = np.clip(place[:, 0], 0, columns - 1.001)
    y = np.clip(place[:, 1], 0, rows - 1.001)
    x0, y0 = x.astype(int), y.astype(int)
    fx, fy = x - x0, y - y0
    image = floor_map.image
    upper = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
    lower = image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx
    return (upper * (1 - fy) + lower * fy).astype(np.float32)


def _ambient_occlusion(depth: np.ndarray) -> np.ndarray:
    """Darkening [H, W] where neighbours on the screen are nearer (Luft et al. 2006)."""
    far = np.where(np.isfinite(depth), depth, 10).astype(np.float32)
    size = max(depth.shape[1] // 24, 3)
    behind = far - cv2.blur(far, (size, size))
    # A jump of metres is another object's outline, not a corner.
    corner = np.where(behind < 0.25, behind, np.maximum(0.5 - behind, 0))
    return np.clip(1 - 1.5 * np.clip(corner, 0, 0.2), 0.6, 1).astype(np.float32)


def expose(linear: np.ndarray, lighting: Lighting, rng: np.random.Generator) -> np.ndarray:
    """Camera response: exposure, saturation, gamma, blur and noise; uint8 [H, W, 3] RGB."""
    middle = float(np.median(linear[::4, ::4].mean(axis=2)))
    # Part automatic exposure: a dark corner stays darker than a bright one.
    gain = lighting.exposure / max(middle, 1e-3) ** 0.6
    scaled = linear * (gain * lighting.white_balance).astype(np.float32)
    # Linear up to half scale, then a soft shoulder to white.
    image = np.where(scaled < 0.5, scaled, 1 - 0.5 * np.exp(-2 * (scaled - 0.5)))
    image = np.power(np.clip(image, 0, 1), np.float32(1 / 2.2))
    if lighting.softness > 0:
        image = cv2.GaussianBlur(image, (0, 0), lighting.softness)
    if lighting.noise > 0:
        grain = rng.standard_normal(image.shape, dtype=np.float32)
        image = image + lighting.noise * grain * (1.2 - image)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
