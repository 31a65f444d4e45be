"""Pictures and videos in and out: OpenCV and PyAV are imported in the modules of this package and nowhere below."""

from dfworkbench.media.frames import AnyFrame, FrameFolder, FrameSource, open_source
from dfworkbench.media.kinds import IMAGE_SUFFIXES, VIDEO_SUFFIXES, media_kind
from dfworkbench.media.listing import list_media
from dfworkbench.media.pictures.images import read_image, read_picture, write_png
from dfworkbench.media.video.source import VideoSource, sample_indices
from dfworkbench.media.video.writer import VideoWriter

__all__ = [
    "IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "AnyFrame", "FrameFolder", "FrameSource", "VideoSource", "VideoWriter",
    "list_media", "media_kind", "open_source", "read_image", "read_picture", "sample_indices", "write_png",
]  # fmt: skip
