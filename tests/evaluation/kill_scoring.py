"""The program that test_scoring_resume.py starts and kills: scores a folder of pictures and writes the table."""

import sys
from pathlib import Path

import torch

from dfworkbench.evaluation.scoring.score import score_to_table
from dfworkbench.evaluation.scoring.settings import ScoreSettings

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, checkpoint, table = map(Path, sys.argv[1:])
    score_to_table([folder], str(checkpoint), ScoreSettings(crops=True), table)
