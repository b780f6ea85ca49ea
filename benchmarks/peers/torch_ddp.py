"""torch's DistributedDataParallel: ``torchrun --nproc-per-node=2 torch_ddp.py MNIST.npz EVENTS RESULT EPOCHS``.

As its tutorial has it, with gloo, which is the back end for processors; torchrun gives each process one thread.
"""

import sys
from pathlib import Path

import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch_net import learn

if __name__ == "__main__":
    data, log, result = map(Path, sys.argv[1:4])
    dist.init_process_group("gloo")
    learn(
        DistributedDataParallel, dist.get_rank(), dist.get_world_size(), data, log, result, int(sys.argv[4])
    )
    dist.destroy_process_group()
