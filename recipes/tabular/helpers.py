"""The table, which is made up: nothing has to be fetched, and how good a model can be is known."""

import numpy as np

SOILS = ("clay", "loam", "peat", "sand")
COLUMNS = ("temperature", "rain", "wind", "sun", "height", "age", "soil")
FLIPPED = 0.1
"""The share of answers that are turned into their opposite: nobody can be right more often than 90 %."""


def make_table(rows, seed):
    """Days in a garden, float32 ``(rows, 7)``, and whether the plants had to be watered, int64 ``(rows,)``."""
    chance = np.random.default_rng(seed)
    temperature = chance.normal(18, 7, rows)
    rain = chance.exponential(4, rows)
    wind = chance.gamma(2, 6, rows)
    sun = np.clip(chance.normal(6, 3, rows), 0, 14)
    height = chance.uniform(5, 120, rows)
    age = chance.integers(1, 30, rows)
    soil = chance.integers(0, len(SOILS), rows)
    holds = np.array([6.0, 3.0, 9.0, 0.0])[soil]
    dry = 0.5 * temperature + 0.8 * sun + 0.1 * wind * (temperature > 15) + 0.03 * height - 1.2 * rain - holds
    answer = (dry > np.median(dry)) ^ (chance.random(rows) < FLIPPED)
    table = np.stack([temperature, rain, wind, sun, height, age, soil], 1)
    return table.astype("float32"), answer.astype("int64")
