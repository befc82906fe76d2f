"""Ray casting of primitives: which one each pixel sees, and how far away."""

from dataclasses import dataclass

import numpy as np

from .scene_camera import Camera
from .scene_primitives import BOX, CYLINDER, PrimitiveTable

_NEAR = 0.05
_EDGES = np.array(
    [[a, b] for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count('1') == 1]
)


@dataclass(frozen=True)
class Hits:
    """depth: float32 [H, W], metres along the optical axis, inf where nothing is hit; index:
    int32 [H, W], row of the primitive table, -1 for none; axis: uint8 [H, W], local axis of the
    face that was hit (3 = curved side)."""

    depth: np.ndarray
    index: np.ndarray
    axis: np.ndarray


def cast_rays(table: PrimitiveTable, camera_to_world: np.ndarray, camera: Camera) -> Hits:
    """Nearest hit of each pixel's ray.

    Each primitive is tested only inside its bounding box on the screen. Rays have unit z in the
    camera frame, so the ray parameter is the depth itself.
    """
    shape = camera.height, camera.width
    hits = Hits(
        np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int32), np.zeros(shape, np.uint8)
    )
    rotation, position = camera_to_world[:3, :3], camera_to_world[:3, 3]
    x = ((np.arange(camera.width) - camera.cx) / camera.fx).astype(np.float32)
    y = ((np.arange(camera.height) - camera.cy) / camera.fy).astype(np.float32)
    boxes, nearest = _screen_boxes(table, rotation, position, camera)
    to_local = np.swapaxes(table.rotation, 1, 2)
    directions = (to_local @ rotation).astype(np.float32)
    origins = np.einsum('nij,nj->ni', to_local, position - table.centre).astype(np.float32)
    halves = table.half.astype(np.float32)
    # Near ones first: what they cover need not be written twice.
    for row in np.argsort(nearest, kind='stable'):
        top, bottom, left, right = boxes[row]
        if top >= bottom or left >= right:
            continue
        window = slice(top, bottom), slice(left, right)
        old = hits.depth[window]
        if nearest[row] > old.max():
            continue
        m = directions[row]
        rays = [
            m[k, 0] * x[None, left:right] + (m[k, 1] * y[top:bottom, None] + m[k, 2])
            for k in range(3)
        ]
        if table.shape[row] == BOX:
            depth, axis, hit = _hit_box(rays, origins[row], halves[row])
        elif table.shape[row] == CYLINDER:
            depth, axis, hit = _hit_cylinder(rays, origins[row], halves[row])
        else:
            depth, axis, hit = _hit_ellipsoid(rays, origins[row], halves[row])
        hit &= (depth > _NEAR) & (depth < old)
        np.copyto(old, depth, where=hit)
        np.copyto(hits.index[window], row, where=hit)
        np.copyto(hits.axis[window], axis, where=hit)
    return hits


def _screen_boxes(
    table: PrimitiveTable, rotation: np.ndarray, position: np.ndarray, camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """Pixel boxes int [N, 4] (top, bottom, left, right) and nearest depths [N]."""
    corners = (table.corners - position) @ rotation
    z = corners[..., 2]
    a, b = corners[:, _EDGES[:, 0]], corners[:, _EDGES[:, 1]]
    # Points where edges cross the near plane stand in for the corners behind it.
    with np.errstate(divide='ignore', invalid='ignore'):
        share = (_NEAR - a[..., 2]) / (b[..., 2] - a[..., 2])
    crossing = (a[..., 2] < _NEAR) != (b[..., 2] < _NEAR)
    cut = a + np.where(crossing, share, 0)[..., None] * (b - a)
    points = np.concatenate([corners, cut], axis=1)
    used = np.concatenate([z >= _NEAR, crossing], axis=1)
    depth = np.maximum(points[..., 2], _NEAR)
    u = points[..., 0] / depth * camera.fx + camera.cx
    v = points[..., 1] / depth * camera.fy + camera.cy

    def bounds(values: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        low = np.where(used, values, np.inf).min(axis=1)
        high = np.where(used, values, -np.inf).max(axis=1)
        low, high = np.clip(low, -1, size + 1), np.clip(high, -2, size)
        return np.maximum(np.floor(low), 0), np.minimum(np.ceil(high) + 1, size)

    top, bottom = bounds(v, camera.height)
    left, right = bounds(u, camera.width)
    nearest = np.where(used, depth, np.inf).min(axis=1)
    return np.stack([top, bottom, left, right], axis=1).astype(int), nearest


Rays = list[np.ndarray]
Hit = tuple[np.ndarray, np.ndarray, np.ndarray]


def _slab(ray: np.ndarray, origin: float, half: float) -> tuple[np.ndarray, np.ndarray]:
    safe = np.where(np.abs(ray) < 1e-7, np.float32(1e-7), ray)
    inverse = 1 / safe
    middle, reach = -origin * inverse, half * np.abs(inverse)
    return middle - reach, middle + reach


def _hit_box(rays: Rays, origin: np.ndarray, half: np.ndarray) -> Hit:
    near, far = _slab(rays[0], origin[0], half[0])
    axis = np.zeros(near.shape, np.uint8)
    for k in (1, 2):
        low, high = _slab(rays[k], origin[k], half[k])
        axis[low > near] = k
        np.maximum(near, low, out=near)
        np.minimum(far, high, out=far)
    return near, axis, near < far


def _roots(a: np.ndarray, b: np.ndarray, c: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both roots of a t^2 + 2 b t + c and where they are real."""
    root = b * b - a * c
    real = root > 0
    root = np.sqrt(np.maximum(root, 0))
    a = np.maximum(a, 1e-9)
    return (-b - root) / a, (-b + root) / a, real


def _hit_ellipsoid(rays: Rays, origin: np.ndarray, half: np.ndarray) -> Hit:
    d = [rays[k] / half[k] for k in range(3)]
    o = origin / half
    a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    b = d[0] * o[0] + d[1] * o[1] + d[2] * o[2]
    near, _, real = _roots(a, b, float(o @ o) - 1)
    return near, np.full(near.shape, 3, np.uint8), real


def _hit_cylinder(rays: Rays, origin: np.ndarray, half: np.ndarray) -> Hit:
    """Upright along local z, with an elliptical section."""
    d = [rays[k] / half[k] for k in range(2)]
    o = origin[:2] / half[:2]
    a = d[0] * d[0] + d[1] * d[1]
    near, far, real = _roots(a, d[0] * o[0] + d[1] * o[1], float(o @ o) - 1)
    low, high = _slab(rays[2], origin[2], half[2])
    axis = np.where(low > near, np.uint8(2), np.uint8(3))
    near = np.maximum(near, low)
    return near, axis, real & (near < np.minimum(far, high))
