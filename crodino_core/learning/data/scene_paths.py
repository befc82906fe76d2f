"""Free space of a synthetic scene and camera motion through it."""

import heapq
from dataclasses import dataclass

import cv2
import numpy as np

from .scene_camera import look_along
from .scene_primitives import PrimitiveTable

CELL = 0.05
# A camera keeps this far from anything between the floor and above its head, metres.
CLEARANCE = 0.3
_LOW, _HIGH = 0.06, 1.75
Rng = np.random.Generator


@dataclass(frozen=True)
class FreeSpace:
    """clearance: float32 [rows, columns], metres to the nearest obstacle, 0 outside the largest
    connected free area; row along world y; origin: [2], metres, corner of cell (0, 0)."""

    clearance: np.ndarray
    origin: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        """Clearance in metres at world points [N, 2]."""
        cells = np.floor((points - self.origin) / CELL).astype(int)
        rows, columns = self.clearance.shape
        inside = ((cells >= 0) & (cells < [columns, rows])).all(axis=1)
        cells = np.where(inside[:, None], cells, 0)
        return np.where(inside, self.clearance[cells[:, 1], cells[:, 0]], 0)

    def centre(self, row: int, column: int) -> np.ndarray:
        """World point [2] of a cell."""
        return self.origin + (np.array([column, row]) + 0.5) * CELL

    def area(self, least: float) -> float:
        """Square metres with at least this clearance."""
        return float((self.clearance >= least).sum()) * CELL * CELL


def find_free_space(
    table: PrimitiveTable, rooms: list[tuple[np.ndarray, np.ndarray]]
) -> FreeSpace:
    """Mark what stands between ankle and head height; rooms: low and high corners [2]."""
    low = np.min([room[0] for room in rooms], axis=0) - 0.3
    high = np.max([room[1] for room in rooms], axis=0) + 0.3
    shape = np.ceil((high - low) / CELL).astype(int)[::-1]
    free = np.zeros(shape, np.uint8)
    for a, b in rooms:
        # Overlap through the walls: doorways join rooms, walls are drawn as obstacles below.
        x0, y0 = np.floor((a - 0.15 - low) / CELL).astype(int)
        x1, y1 = np.ceil((b + 0.15 - low) / CELL).astype(int)
        free[y0:y1, x0:x1] = 1
    z = table.corners[..., 2]
    for row in np.flatnonzero((z.max(axis=1) > _LOW) & (z.min(axis=1) < _HIGH)):
        outline = (table.corners[row, :, :2] - low) / CELL
        hull = cv2.convexHull(outline.astype(np.float32))[:, 0]
        cv2.fillConvexPoly(free, np.round((hull - 0.5) * 16).astype(np.int32), 0, cv2.LINE_8, 4)
    clearance = cv2.distanceTransform(free, cv2.DIST_L2, 5) * CELL
    count, parts = cv2.connectedComponents((clearance >= CLEARANCE).astype(np.uint8))
    if count > 1:
        largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
        clearance[(parts != largest) & (parts > 0)] = 0
    return FreeSpace(clearance.astype(np.float32), low)


def find_route(space: FreeSpace, start: tuple[int, int], goal: tuple[int, int]) -> np.ndarray:
    """Cheapest cell route (Dijkstra) that prefers wide passages, world points [N, 2]."""
    cost = np.where(space.clearance >= CLEARANCE, 1 + 0.5 / np.maximum(space.clearance, 0.1), -1)
    rows, columns = cost.shape
    best = {start: 0.0}
    before: dict[tuple[int, int], tuple[int, int]] = {}
    queue = [(0.0, start)]
    while queue:
        spent, cell = heapq.heappop(queue)
        if cell == goal:
            break
        if spent > best[cell]:
            continue
        for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            r, c = cell[0] + dr, cell[1] + dc
            if not (0 <= r < rows and 0 <= c < columns) or cost[r, c] < 0:
                continue
            total = spent + cost[r, c] * (1.41421 if dr and dc else 1.0)
            if total < best.get((r, c), np.inf):
                best[r, c], before[r, c] = total, cell
                heapq.heappush(queue, (total, (r, c)))
    route = [goal]
    while route[-1] != start:
        route.append(before[route[-1]])
    return np.array([space.centre(*cell) for cell in reversed(route)])


def smooth_path(space: FreeSpace, rng: Rng, frames: int, rate_hz: float) -> list[np.ndarray]:
    """Camera poses of a slow drive between random goals, camera-to-world [4, 4] each."""
    speed = rng.uniform(0.35, 0.6)
    length = frames * speed / rate_hz + 0.5
    cells = np.argwhere(space.clearance >= CLEARANCE)
    here = _cell(cells[rng.integers(len(cells))])
    points = [space.centre(*here)]
    travelled = 0.0
    while travelled < length:
        choices = cells[rng.integers(len(cells), size=8)]
        far = np.hypot(*(choices - np.array(here)).T)
        goal = _cell(choices[int(np.argmax(far))])
        if goal == here:
            # A single free cell: stand still.
            points.append(points[-1] + 1e-4)
            travelled = length
            break
        leg = find_route(space, here, goal)[1:]
        points += list(leg)
        travelled = float(np.hypot(*np.diff(np.array(points), axis=0).T).sum())
        here = goal
    spots = _resample(np.array(points), frames, speed / rate_hz)
    spots = _smooth_within(space, spots, rate_hz)
    yaw = _headings(spots, rng, rate_hz)
    time = np.arange(frames) / rate_hz
    height = rng.uniform(1.0, 1.5) + 0.01 * np.sin(time * 1.3)
    pitch = rng.uniform(-0.15, 0.08) + 0.03 * np.sin(time * 0.7 + rng.uniform(0, 6))
    roll = 0.01 * np.sin(time * 0.9 + rng.uniform(0, 6))
    return [
        look_along(np.array([*spots[n], height[n]]), yaw[n], pitch[n], roll[n])
        for n in range(frames)
    ]


def _cell(pair: np.ndarray) -> tuple[int, int]:
    return int(pair[0]), int(pair[1])


def _resample(points: np.ndarray, count: int, step: float) -> np.ndarray:
    distance = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.arange(count) * step
    return np.stack([np.interp(at, distance, points[:, k]) for k in range(2)], axis=1)


def _blur_along(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian along axis 0 of [N, K], ends repeated."""
    if len(values) < 2 or sigma < 0.3:
        return values
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode='edge')
    columns = [
        np.convolve(padded[:, k], kernel / kernel.sum(), 'valid') for k in range(values.shape[1])
    ]
    return np.stack(columns, axis=1)


def _smooth_within(space: FreeSpace, spots: np.ndarray, rate_hz: float) -> np.ndarray:
    """The smoothest version that cuts no corner into an obstacle."""
    for seconds in (1.0, 0.6, 0.35, 0.2, 0.1):
        smooth = _blur_along(spots, seconds * rate_hz)
        if (space.at(smooth) >= 0.6 * CLEARANCE).all():
            return smooth
    return spots


def _headings(spots: np.ndarray, rng: Rng, rate_hz: float) -> np.ndarray:
    """Look where the path goes, glancing left and right; never faster than about 60 deg/s."""
    count = len(spots)
    if count == 1:
        return rng.uniform(-np.pi, np.pi, 1)
    ahead = np.gradient(_blur_along(spots, 0.5 * rate_hz), axis=0)
    yaw = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    time = np.arange(count) / rate_hz
    yaw = yaw + 0.5 * np.sin(time * rng.uniform(0.3, 0.7) + rng.uniform(0, 6))
    limit = 1.0 / rate_hz
    slow = np.array(yaw)
    for n in range(1, count):
        slow[n] = slow[n - 1] + np.clip(yaw[n] - slow[n - 1], -limit, limit)
    return _blur_along(slow[:, None], 0.4 * rate_hz)[:, 0]
