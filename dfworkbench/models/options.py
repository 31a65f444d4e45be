"""Types of options shared by several detectors; `build_detector` validates them, so constructors need not."""

from typing import Annotated, Literal

from pydantic import Field

#: Height and width of the input of a network that halves it five times.
SizePx = Annotated[int, Field(ge=32)]
#: A count.
Positive = Annotated[int, Field(ge=1)]
#: How many of the four stages of a ResNet are kept.
Stages = Annotated[int, Field(ge=1, le=4)]
#: Dropout probability.
Dropout = Annotated[float, Field(ge=0, lt=1)]
#: How the face is aligned in the crop, see `InputSpec`.
FaceAlignment = Literal["box", "five_points"]
Alignment = Literal["box", "five_points", "whole"]
