"""Display times of the frames of a video: from its packets if these are clear, else by decoding the file once.

docs/decisions/0015-what-a-frame-is.md says when packets are clear.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from dfworkbench.media.video.streams import PacketInfo, Place, visible


@dataclass(frozen=True)
class Timeline:
    """The displayed frames of a video, in order.

    Attributes:
        count: Number of frames.
        stamps: Their time stamps in ticks, strictly increasing; empty if the file has no such stamps.
        by_stamp: Whether a decoded frame is identified by its stamp; otherwise frames are counted from the beginning.
        entries: Stamps of the frames at which decoding may begin, increasing; the first is the beginning of the file.
        places: The packet place of each entry.
        order: Place -> number of packets before it; empty if seeking is not safe.
        last_ticks: How long the last frame is shown; 0 if unknown.
    """

    count: int
    stamps: list[int]
    by_stamp: bool = False
    entries: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    order: dict[Place, int] = field(default_factory=dict)
    last_ticks: int = 0


def timeline_of_packets(packets: list[PacketInfo], reorders: bool) -> Timeline | None:
    """The timeline that follows from packets beyond doubt, or None.

    Args:
        packets: All packets of the stream, in decoding order.
        reorders: Whether frames are displayed in another order than coded. Time stamps that increase nevertheless are then a guess.
    """
    if any(packet.shown not in (0, 1) or packet.place.pts is None for packet in packets):
        return None
    shown = [packet.place.pts or 0 for packet in packets if packet.shown]
    stamps = sorted(packet.place.pts or 0 for packet in visible(packets))
    if not stamps or not packets[0].entry or len(set(shown)) < len(shown):
        return None
    entries = _entries(packets)
    if entries is None or (reorders and _rises(shown) and len(shown) > 2):
        return None
    order = {packet.place: at for at, packet in enumerate(packets)}
    return Timeline(
        len(stamps), stamps, True, [pts for pts, _ in entries], [place for _, place in entries],
        order if len(order) == len(packets) else {}, _last(stamps, packets),
    )  # fmt: skip


def timeline_of_frames(
    times: Iterable[tuple[int | None, int | None]], packets: list[PacketInfo], step: int
) -> Timeline:
    """The timeline of decoded frames.

    Args:
        times: Display and decoding stamps of each frame, in display order.
        packets: All packets of the stream.
        step: Ticks from one frame to the next at the nominal frame rate.
    """
    guessed = _best_effort(times)
    stamps: list[int] = []
    if guessed and guessed[0] is not None:
        for stamp in guessed:  # one that is unknown, or goes back, is a step after the previous one, as in ffmpeg
            late = stamp is not None and (not stamps or stamp > stamps[-1])
            stamps.append(stamp if late and stamp is not None else stamps[-1] + max(step, 1))
    return Timeline(len(guessed), stamps, last_ticks=_last(stamps, packets))


def _entries(packets: list[PacketInfo]) -> list[tuple[int, Place]] | None:
    """Where decoding may begin; None if the display order does not respect these places."""
    found: list[tuple[int, Place]] = []
    latest = None
    for packet in packets:
        pts = packet.place.pts
        assert pts is not None
        if packet.shown and packet.entry:
            if latest is not None and pts <= latest:
                return None
            found.append((pts, packet.place))
        if packet.shown:
            latest = pts if latest is None else max(latest, pts)
    first = packets[0].place.pts
    # frames before the first one would need a picture that is not in the file
    return None if first is None or any((p.place.pts or 0) < first for p in packets if p.shown) else found


def _rises(stamps: list[int]) -> bool:
    return all(a < b for a, b in pairwise(stamps))


def _last(stamps: list[int], packets: list[PacketInfo]) -> int:
    if not stamps:
        return 0
    stored = next((packet.duration for packet in packets if packet.place.pts == stamps[-1] and packet.shown != 0), 0)
    return stored or round(statistics.median([b - a for a, b in pairwise(stamps)] or [0]))


def _best_effort(times: Iterable[tuple[int | None, int | None]]) -> list[int | None]:
    """Display stamps, or decoding stamps if the former go back more often: FFmpeg's own rule (`guess_correct_pts`)."""
    found: list[int | None] = []
    faulty = {"pts": 0, "dts": 0}
    last: dict[str, int] = {}
    for pts, dts in times:
        for name, stamp, other in (("dts", dts, pts), ("pts", pts, dts)):
            if stamp is not None:
                faulty[name] += name in last and stamp <= last[name]
            if (latest := stamp if stamp is not None else other) is not None:
                last[name] = latest
        trusted = pts is not None and (dts is None or faulty["pts"] <= faulty["dts"])
        found.append(pts if trusted else dts)
    return found
