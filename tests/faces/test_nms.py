"""Suppression of overlaps: the operator of torchvision, without the import of torchvision."""

import subprocess
import sys

import torch
import torchvision

from dfworkbench.faces.nms import nms


def test_the_same_boxes_in_the_same_order_as_torchvision():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(300, 2, generator=generator) * 100
    boxes = torch.cat([corners, corners + torch.rand(300, 2, generator=generator) * 60], dim=1)
    scores = torch.rand(300, generator=generator).round(decimals=2)  # some are equal
    for max_iou in (0.3, 0.7):
        assert torch.equal(nms(boxes, scores, max_iou), torchvision.ops.nms(boxes, scores, max_iou))
    assert nms(torch.empty(0, 4), torch.empty(0), 0.5).tolist() == []


def test_a_process_that_finds_faces_loads_neither_torchvision_nor_the_compiler_of_torch():
    # each is seconds in every process of an extraction
    code = """
import sys
import numpy as np
import dfworkbench.extraction
from dfworkbench.faces import FaceFinder
FaceFinder().find(np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8))
print(sorted({"torchvision", "torch._dynamo", "sympy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""
