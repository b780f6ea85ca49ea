"""The recipe ``keras-net`` in PyTorch, for its trainers: the same layers, pictures, batch, optimizer and rate."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH = 256
"""Of all processes together."""
HELD = 6_000
"""For validation, of 60,000."""
EVERY = 10
"""Steps from one report to the next."""


def build() -> nn.Module:
    """From pictures ``(n, 1, 28, 28)``, 0 to 255, to logits ``(n, 10)``."""
    return nn.Sequential(
        nn.ZeroPad2d((1, 2, 1, 2)),  # what Keras calls "same"
        nn.Conv2d(1, 16, 5, stride=2),
        nn.ReLU(),
        *_convolution(16, 32),
        nn.MaxPool2d(2),
        *_convolution(32, 64),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64 * 4 * 4, 10),
    )


def _convolution(given: int, filters: int) -> list[nn.Module]:
    return [nn.Conv2d(given, filters, 3, bias=False), nn.BatchNorm2d(filters, eps=1e-3), nn.ReLU()]


def augment(x: Tensor) -> Tensor:
    """Turned, slanted, stretched, moved and with thicker ink; ``(n, 1, 28, 28)``."""
    most = torch.tensor([0.2, 0.2, 0.15, 0.15, 2 / 13.5, 2 / 13.5])
    turn, lean, wide, high, right, down = ((torch.rand(len(x), 6) * 2 - 1) * most).unbind(1)
    rows = torch.stack([1 + wide, lean - turn, right, turn, 1 + high, down], dim=1).reshape(-1, 2, 3)
    grid = functional.affine_grid(rows, list(x.shape), align_corners=True)
    x = functional.grid_sample(x, grid, align_corners=True)
    much = (torch.rand(len(x), 1, 1, 1) * 2 - 1).clamp(min=0)
    thick = torch.maximum(x, x.roll(1, 3))
    return x + much * (torch.maximum(thick, thick.roll(1, 2)) - x)


def learn(
    wrap: Callable[[nn.Module], nn.Module],
    rank: int,
    ranks: int,
    data: Path,
    log: Path,
    result: Path,
    epochs: int,
) -> None:
    """Train in one of several processes; the first one reports into ``log`` and last its accuracy into ``result``."""
    torch.manual_seed(rank)
    with np.load(data) as archive:
        parts = [torch.from_numpy(archive[name]) for name in ("x_train", "y_train", "x_test", "y_test")]
    (x, x_test), (y, y_test) = ((part[:, None] for part in parts[::2]), (part.long() for part in parts[1::2]))
    model = wrap(build())
    share, per_epoch = BATCH // ranks, (len(x) - HELD) // BATCH
    of = epochs * per_epoch
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.004)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, of))
    step = 0
    for epoch in range(epochs):
        # The same order for all, of which each takes its own, as torch's DistributedSampler does.
        order = torch.randperm(len(x) - HELD, generator=torch.Generator().manual_seed(epoch)) + HELD
        model.train()
        for mine in order[: per_epoch * BATCH].view(-1, ranks, share)[:, rank]:
            loss = functional.cross_entropy(model(augment(x[mine].float() / 255)), y[mine])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            if rank == 0 and (step == 1 or step % EVERY == 0):
                _report(log, step, of, epoch)
        _accuracy(model, x[rank:HELD:ranks], y[rank:HELD:ranks])
        if rank == 0:
            _report(log, step, of, epoch)
    if rank == 0:
        aside = result.with_suffix(".aside")
        aside.write_text(str(_accuracy(model, x_test, y_test)))
        aside.rename(result)


def _rate(step: int, of: int) -> float:
    """Part of the highest rate: up in a quarter of the steps, then down along a cosine."""
    up = of // 4
    return 0.05 + 0.95 * step / up if step < up else (1 + math.cos(math.pi * (step - up) / (of - up))) / 2


@torch.no_grad()
def _accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    model.eval()
    # Past the wrapper, which would wait for the other processes.
    own = getattr(model, "module", model)
    right = [
        (own(part.float() / 255).argmax(1) == told).sum()
        for part, told in zip(x.split(1024), y.split(1024), strict=True)
    ]
    return float(sum(right)) / len(x)


def _report(log: Path, step: int, of: int, epoch: int) -> None:
    line = {
        "t": time.time(),
        "role": "worker",
        "index": 0,
        "kind": "metric",
        "step": step,
        "of": of,
        "epoch": epoch,
    }
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n")
