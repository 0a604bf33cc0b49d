"""The usual MNIST run in PyTorch, as a careful user writes it for a CPU: one file, whole process.

    python benchmarks/mnist_torch.py [--epochs 20] [--threads 2] [--data FOLDER]

Pictures lie in memory as one uint8 tensor, a shuffled index picks each batch of 100, Adam is fused, the network and
its input are channels_last. As Pellucid's command does, it keeps a running loss and accuracy of training, judges all
test pictures after each epoch, and saves the network when it is the best so far, and the last one.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BATCH = 100


def read(folder: Path, part: str) -> tuple[Any, Any]:
    """Pictures (N, 1, 28, 28) uint8 and labels (N,) of "train" or "t10k"."""
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pictures = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return torch.from_numpy(pictures.copy()), torch.from_numpy(labels.astype(np.int64))


def scaled(pictures: Any) -> Any:
    """Floats from 0 to 1, channels last."""
    return pictures.to(torch.float32).mul_(1 / 255).contiguous(memory_format=torch.channels_last)


def build() -> Any:
    """The book's SimpleConvNet with its initial weights."""
    layers = [nn.Conv2d(1, 30, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten()]
    network = nn.Sequential(*layers, nn.Linear(4320, 100), nn.ReLU(inplace=True), nn.Linear(100, 10))
    for name, value in network.named_parameters():
        nn.init.zeros_(value) if name.endswith("bias") else nn.init.normal_(value, std=0.01)
    return network.to(memory_format=torch.channels_last)


def judge(network: Any, pictures: Any, labels: Any) -> float:
    """Share of pictures it gets right."""
    network.eval()
    with torch.inference_mode():
        right = sum(
            int((network(scaled(part)).argmax(1) == truth).sum())
            for part, truth in zip(pictures.split(BATCH), labels.split(BATCH), strict=True)
        )
    network.train()
    return right / len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the four files of MNIST")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    pictures, labels = read(options.data, "train")
    test_pictures, test_labels = read(options.data, "t10k")
    network = build()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, fused=True)
    best = -1.0
    with tempfile.TemporaryDirectory() as folder:
        for epoch in range(options.epochs):
            loss_sum, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
            for rows in torch.randperm(len(labels)).split(BATCH):
                x, y = scaled(pictures[rows]), labels[rows]
                optimizer.zero_grad()
                logits = network(x)
                loss = functional.cross_entropy(logits, y)
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    loss_sum += loss * len(y)
                    right += (logits.argmax(1) == y).sum()
            accuracy = judge(network, test_pictures, test_labels)
            if accuracy > best:
                best = accuracy
                torch.save(network.state_dict(), f"{folder}/best.pt")
            torch.save({"model": network.state_dict(), "optimizer": optimizer.state_dict()}, f"{folder}/last.pt")
            train = int(right) / len(labels)
            print(
                f"epoch {epoch + 1}: loss {float(loss_sum) / len(labels):.4f}, train {train:.4f}, test {accuracy:.4f}"
            )
    print(f"test accuracy {best:.4f}")


if __name__ == "__main__":
    main()
