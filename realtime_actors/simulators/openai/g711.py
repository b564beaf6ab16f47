"""G.711 µ-law and A-law (8-bit telephone audio), as tables over PCM16 (ITU-T G.711)."""

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Law", "decode", "encode"]

Law: TypeAlias = Literal["audio/pcmu", "audio/pcma"]


def _mu_law_values() -> npt.NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _a_law_values() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (code >> 4) & 7
    mantissa = ((code & 0x0F) << 4) + 8
    magnitude = np.where(exponent > 0, (mantissa + 0x100) << np.maximum(exponent - 1, 0), mantissa)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_VALUES: dict[str, npt.NDArray[np.int16]] = {"audio/pcmu": _mu_law_values(), "audio/pcma": _a_law_values()}


def _encoding_table(law: str) -> npt.NDArray[np.uint8]:
    """For every 16-bit sample the code whose value is nearest."""
    values = _VALUES[law].astype(np.int32)
    order: npt.NDArray[Any] = np.argsort(values, kind="stable")
    ordered = values[order]
    limits = (ordered[:-1] + ordered[1:]) / 2
    return order[np.searchsorted(limits, np.arange(-32768, 32768), side="right")].astype(np.uint8)


_CODES: dict[str, npt.NDArray[np.uint8]] = {law: _encoding_table(law) for law in _VALUES}


def decode(data: bytes, law: Law) -> bytes:
    """G.711 bytes as PCM16 little-endian."""
    return _VALUES[law][np.frombuffer(data, np.uint8)].astype("<i2").tobytes()


def encode(pcm: bytes, law: Law) -> bytes:
    """PCM16 little-endian as G.711 bytes, each sample the nearest value the law has."""
    return _CODES[law][np.frombuffer(pcm, "<i2").astype(np.int32) + 32768].tobytes()
