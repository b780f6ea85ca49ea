"""Ray Train's TorchTrainer with two workers: ``ray_trainer.py MNIST.npz EVENTS RESULT EPOCHS FOLDER``."""

import sys
from pathlib import Path

import ray
import ray.train
import ray.train.torch
from torch_net import learn


def loop(given: dict[str, str]) -> None:
    context = ray.train.get_context()
    learn(
        ray.train.torch.prepare_model,
        context.get_world_rank(),
        context.get_world_size(),
        Path(given["data"]),
        Path(given["log"]),
        Path(given["result"]),
        int(given["epochs"]),
    )


if __name__ == "__main__":
    data, log, result, epochs, folder = sys.argv[1:]
    ray.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", _temp_dir=folder)
    ray.train.torch.TorchTrainer(
        loop,
        train_loop_config={"data": data, "log": log, "result": result, "epochs": epochs},
        scaling_config=ray.train.ScalingConfig(num_workers=2),
        run_config=ray.train.RunConfig(storage_path=folder),
    ).fit()
    ray.shutdown()
