"""Settings of scoring files."""

from typing import Literal

from pydantic import Field

from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, RULES, Rule
from dfworkbench.evaluation.scoring.rules import Missing
from dfworkbench.faces.settings import FaceSettings


class ScoreSettings(FaceSettings):
    """How faces are found in files (as in extraction), and how their scores are aggregated per file."""

    frames: int = Field(default=32, ge=1, description="Frames sampled evenly from each video")
    rule: Rule = Field(
        default=DEFAULT_RULE,
        description="File score: " + "; ".join(f"{name}: {words}" for name, words in RULES.items()),
    )
    missing: Missing = Field(
        default="drop",
        description="Benchmark mode: what a file without a score (no face, unreadable) counts as; drop: nothing, as_chance: 0.5 as "
        "most authors do, as_real: 0, as_fake: 1. Its status is kept, and the score table holds measured scores only",
    )
    batch_size: int = Field(default=32, ge=1, description="Faces or clips per forward pass")
    device: str = Field(default="auto", description="auto (a GPU if there is one), cpu, cuda or cuda:1")
    precision: Literal["auto", "32-true", "bf16-true"] = Field(
        default="auto",
        description="Weights and arithmetic of the detector: 32-true, or bf16-true for half the memory of a large network, faster "
        "on GPUs and on CPUs with AMX or AVX-512 BF16; auto takes 32-true",
    )
    thumbnails: int = Field(default=6, ge=0, le=24, description="Thumbnails kept per track")
    thumbnail_px: int = Field(default=112, ge=16, le=512, description="Height and width of the thumbnails")
    workers: int = Field(
        default=0,
        ge=0,
        description="Processes on this machine that score files in parallel (0: one per core if that saves time; 1: none)",
    )
    scheduler: str = Field(
        default="", description="Address of a running Dask scheduler whose workers score (empty: this machine)"
    )
