"""Bytes that were good once: what hypothesis changes in them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

INTERESTING = [b"\0", b"\xff", b'"', b"\n", b"\r", b",", b"[", b"{", b"\\", b"\xff\xff\xff\xff"]


def fuzz(examples: int) -> settings:
    """The same examples each time, however slow the machine."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def mutated(draw: st.DrawFn, sources: list[bytes]) -> bytes:
    """One of the sources with one to four things put in, changed, taken out, moved or cut off."""
    data = bytearray(draw(st.sampled_from(sources)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([1, 2, 4, 16, 256])))
        match draw(st.sampled_from(["put in", "change", "take out", "repeat", "cut off"])):
            case "put in":
                data[start:start] = draw(st.sampled_from(INTERESTING) | st.binary(max_size=8))
            case "change":
                data[start:end] = draw(st.binary(min_size=end - start, max_size=end - start))
            case "take out":
                del data[start:end]
            case "repeat":
                data[end:end] = data[start:end]
            case "cut off":
                del data[start:]
    return bytes(data)
