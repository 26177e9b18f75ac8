#!/usr/bin/env python3
"""Trains the bundled digits model and writes it with its sample sets, beside this file:

  digits.onnx       float32, BatchNorm unfolded; image [N,1,8,8] (grey / 16) -> logits [N,10]
  calibration.npz   image [300,1,8,8]: of the training split, thirty of each digit, no labels
  heldout.npz       image [540,1,8,8], labels [540]: the split the model has never seen

Needs Debian 12's python3-torch, python3-sklearn and python3-onnx. Deterministic for one version of
them on one kind of CPU.
"""

import argparse
import pathlib

import numpy as np
import onnx
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

SEED = 20
CLASSES = 10
HELDOUT = 540
CALIBRATION_PER_CLASS = 30


def conv_bn(inputs, outputs, kernel, stride=1, groups=1, activation=True):
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6()] if activation else []))


def depthwise_separable(inputs, outputs, stride=1):
    return nn.Sequential(
        conv_bn(inputs, inputs, 3, stride, groups=inputs),
        conv_bn(inputs, outputs, 1),
    )


class InvertedResidual(nn.Module):
    """x + project(depthwise(expand(x))), as in MobileNetV2; the projection has no activation."""

    def __init__(self, channels, expanded):
        super().__init__()
        self.expand = conv_bn(channels, expanded, 1)
        self.depthwise = conv_bn(expanded, expanded, 3, groups=expanded)
        self.project = conv_bn(expanded, channels, 1, activation=False)

    def forward(self, x):
        return x + self.project(self.depthwise(self.expand(x)))


class DigitsNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            conv_bn(1, 32, 3),
            depthwise_separable(32, 64),
            InvertedResidual(64, 128),
            depthwise_separable(64, 128, stride=2),
            InvertedResidual(128, 256),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.classifier = nn.Linear(128, CLASSES)

    def forward(self, image):
        return self.classifier(self.features(image))


def load_split():
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None, :, :]
    labels = digits.target.astype(np.int64)
    return train_test_split(
        images, labels, test_size=HELDOUT, random_state=SEED, stratify=labels)


def shifted(images, generator):
    """Each picture moved by -1, 0 or +1 pixels in both directions, zeros coming in."""
    padded = functional.pad(images, (1, 1, 1, 1))
    moves = torch.randint(0, 3, (len(images), 2), generator=generator)
    return torch.stack(
        [p[:, y:y + 8, x:x + 8] for p, (y, x) in zip(padded, moves.tolist())])


def accuracy(model, images, labels):
    model.eval()
    with torch.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


def train(model, images, labels, epochs):
    generator = torch.Generator().manual_seed(SEED)
    batch = 64
    steps = epochs * (len(images) // batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(len(images), generator=generator)
        total = 0.0
        for start in range(0, len(images) - batch + 1, batch):
            index = order[start:start + batch]
            logits = model(shifted(images[index], generator))
            loss = functional.cross_entropy(logits, labels[index], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1}: loss {total / (len(images) // batch):.4f}", flush=True)


def calibration_images(images, labels):
    rows = [np.flatnonzero(labels == c)[:CALIBRATION_PER_CLASS] for c in range(CLASSES)]
    return images[np.sort(np.concatenate(rows))]


def export(model, path):
    model.eval()
    torch.onnx.export(
        model, torch.zeros(1, 1, 8, 8), str(path), opset_version=13,
        input_names=["image"], output_names=["logits"],
        dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
        # BatchNorm stays a node of its own: folding it is the server's work.
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    onnx.checker.check_model(onnx.load(str(path)))


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=pathlib.Path, default=here)
    arguments = parser.parse_args()

    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    train_images, heldout_images, train_labels, heldout_labels = load_split()
    model = DigitsNet()
    print(f"{sum(p.numel() for p in model.parameters())} parameters, "
          f"{len(train_images)} training and {len(heldout_images)} held-out pictures")
    images, labels = torch.from_numpy(train_images), torch.from_numpy(train_labels)
    train(model, images, labels, arguments.epochs)
    print(f"training accuracy {accuracy(model, images, labels):.4f}")
    print("held-out accuracy "
          f"{accuracy(model, torch.from_numpy(heldout_images), torch.from_numpy(heldout_labels)):.4f}")

    export(model, arguments.out / "digits.onnx")
    np.savez_compressed(
        arguments.out / "calibration.npz", image=calibration_images(train_images, train_labels))
    np.savez_compressed(
        arguments.out / "heldout.npz", image=heldout_images, labels=heldout_labels)


if __name__ == "__main__":
    main()
