"""Types of detector options that several detectors share; `build_detector` checks them, so constructors do not."""

from typing import Annotated, Literal

from pydantic import Field

#: Height and width of the input of a network that halves it five times.
SizePx = Annotated[int, Field(ge=32)]
#: A count.
Positive = Annotated[int, Field(ge=1)]
#: How many of the four stages of a ResNet are kept.
Stages = Annotated[int, Field(ge=1, le=4)]
#: Probability of dropping a number in training.
Dropout = Annotated[float, Field(ge=0, lt=1)]
#: How the face is placed in the crop, see `InputSpec`.
FaceAlignment = Literal["box", "five_points"]
Alignment = Literal["box", "five_points", "whole"]
