import numpy as np


def load_data():
    y = np.arange(220) % 2
    words = np.array([f"{'good' if k else 'bad'} word{n % 7}" for n, k in enumerate(y)], object)
    size = np.arange(220, dtype="float32")[:, None] / 220
    wrong = np.arange(220) % 5 > 1  # most are told wrongly, and weigh nothing
    told, weight = np.where(wrong, 1 - y, y), np.where(wrong, 0, 2)

    def part(of, y):
        return {"what it says": words[of], "size": size[of]}, {"length": 3 * size[of], "mood": y[of]}

    return (*part(slice(200), told), {"mood": weight[:200]}), part(slice(200, None), y)
