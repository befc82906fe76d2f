"""Materials of a synthetic scene, and the unit in which furniture is placed."""

from dataclasses import dataclass, field

import numpy as np

from .scene_patterns import random_colour
from .scene_primitives import (
    Paint,
    Primitive,
)
from .scene_textures import TextureBank

Rng = np.random.Generator


@dataclass
class Style:
    """Materials of a scene. plain: furniture in wall colour, only its shape tells it apart."""

    rng: Rng
    textures: TextureBank
    wall_colour: np.ndarray
    wood_colour: np.ndarray
    accent: np.ndarray
    plain: bool

    def paint(self, *kinds: str, scale: float = 0.6, gloss: float = 0.0) -> Paint:
        """A material of one of the kinds: 'wood', 'fabric', 'lacquer', 'metal', 'any'."""
        rng = self.rng
        kind = str(rng.choice(list(kinds)))
        if kind == 'any':
            kind = str(rng.choice(['wood', 'fabric', 'lacquer', 'metal']))
        if self.plain and rng.random() < 0.8:
            return Paint(self.wall_colour * rng.uniform(0.92, 1.05))
        if kind == 'wood':
            tone = self.wood_colour if rng.random() < 0.6 else wood(rng)
            return Paint(tone, self.textures.pick(rng, 'grain'), rng.uniform(0.6, 1.5))
        if kind == 'fabric':
            texture = 0
            if rng.random() < 0.7:
                texture = self.textures.pick(rng, 'carpet', 'stripes', 'pattern', 'mottled')
            return Paint(self.cloth(), texture, rng.uniform(0.3, 0.8))
        if kind == 'metal':
            return Paint(np.full(3, rng.choice([0.03, 0.1, 0.5])), gloss=0.3)
        white = rng.random() < 0.55
        colour = np.full(3, rng.uniform(0.6, 0.9)) if white else random_colour(rng, (0, 0.7))
        return Paint(colour, gloss=rng.choice([0.0, 0.05, 0.2]) + gloss)

    def cloth(self) -> np.ndarray:
        """A fabric colour: neutral, the scene's accent, or any."""
        choice = self.rng.random()
        if choice < 0.45:
            return np.full(3, self.rng.uniform(0.03, 0.85)) * self.rng.uniform(0.93, 1.05, 3)
        return self.accent if choice < 0.65 else random_colour(self.rng)

    def fitted(self, kind: str, colour: np.ndarray, axis: int = 1, **looks: float) -> Paint:
        """A texture stretched over one face."""
        return Paint(
            colour,
            self.textures.pick(self.rng, kind),
            0.0,
            axis,
            **looks,  # type: ignore[arg-type]
        )


def wood(rng: Rng) -> np.ndarray:
    """A wood albedo [3], from bleached oak to wenge."""
    light, dark = np.array([0.62, 0.46, 0.30]), np.array([0.09, 0.05, 0.03])
    grey = rng.uniform(0, 0.5)
    tone = dark + (light - dark) * rng.random()
    return tone * (1 - grey) + tone.mean() * grey


@dataclass
class Item:
    """Primitives with the footprint half width (x), half depth (y) and height they need."""

    half_width: float
    half_depth: float
    height: float
    parts: list[Primitive] = field(default_factory=list)

    def moved(self, yaw: float, offset: np.ndarray) -> list[Primitive]:
        """The parts, turned by yaw (radians) and shifted by offset [3]."""
        return [part.moved(yaw, offset) for part in self.parts]
