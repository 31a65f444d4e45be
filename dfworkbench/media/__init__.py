"""Read and write pictures and videos. Other packages import these names from here; only this one uses OpenCV's codecs and PyAV.

* `video/`: decode H.264, VP9 … frame by frame as players do, and write H.264
* `pictures/`: read any picture as sRGB pixels, refuse damaged ones, write PNG
* `foreign/`: the one safe reader of pickles, torch files, HDF5 and JSON
* `frame_folder`: a folder of numbered pictures as a video
* `kinds`, `walk`, `listing`: find media files below a folder
"""

from dfworkbench.media.frame_folder import AnyFrame, FrameFolder, FrameSource, list_frames, open_source
from dfworkbench.media.kinds import IMAGE_SUFFIXES, VIDEO_SUFFIXES, kind_by_name, kind_or_reason, media_kind
from dfworkbench.media.listing import NO_UTF8, Listing, first_names, list_folder, list_media, require_utf8
from dfworkbench.media.pictures.images import encode_png, read_image, read_picture, write_png
from dfworkbench.media.video.source import VideoSource, sample_indices
from dfworkbench.media.video.writer import VideoWriter
from dfworkbench.media.walk import is_missing, readable, walk

__all__ = [
    "IMAGE_SUFFIXES", "NO_UTF8", "VIDEO_SUFFIXES", "AnyFrame", "FrameFolder", "FrameSource", "Listing", "VideoSource",
    "VideoWriter", "encode_png", "first_names", "is_missing", "kind_by_name", "kind_or_reason", "list_folder", "list_frames",
    "list_media", "media_kind", "open_source", "read_image", "read_picture", "readable", "require_utf8", "sample_indices", "walk",
    "write_png",
]  # fmt: skip
