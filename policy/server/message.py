"""Bytes from anybody ↔ dictionaries of numbers, words and arrays; msgpack with openpi's form for arrays, no pickle."""

import math
from typing import Any

import msgpack
import numpy as np

# What a picture, a state or an action may be made of: no objects, no strings, no dates.
DTYPES = tuple(np.dtype(name).str for name in ("uint8", "int8", "int32", "int64", "float32", "float64", "bool"))
MAX_AXES = 4
MAX_ITEMS = 1024  # of a list or a map: msgpack makes room for as many as a message says, before it has read them
MAX_TEXT_BYTES = 2**16


def pack(value: Any) -> bytes:
    """A dictionary → bytes; an array becomes {b"__ndarray__", b"data", b"dtype", b"shape"} as openpi's client reads it."""
    return msgpack.packb(value, default=_array_to_map)


def unpack(data: bytes, *, max_bytes: int) -> dict[str, Any]:
    """Bytes → a dictionary; ValueError says what is wrong with a message that is not one, or holds something else.

    Arrays are views into the message: nothing is allocated that the message does not already hold.
    """
    limits = {"max_str_len": MAX_TEXT_BYTES, "max_bin_len": max_bytes, "max_ext_len": 0}
    limits |= {"max_array_len": MAX_ITEMS, "max_map_len": MAX_ITEMS}
    if len(data) > max_bytes:
        raise ValueError(f"a message of {len(data)} bytes; at most {max_bytes} are read")
    try:
        value = msgpack.unpackb(data, object_hook=_map_to_array, **limits)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ValueError(f"this message cannot be read: {error or type(error).__name__}") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"a message is a map with text keys; this one is a {type(value).__name__}")
    return value


def _array_to_map(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.str not in DTYPES:
            raise ValueError(f"arrays of {value.dtype} are not sent; choose one of {_names()}")
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    raise TypeError(f"a {type(value).__name__} cannot be sent")


def _map_to_array(fields: dict[Any, Any]) -> Any:
    if b"__ndarray__" in fields:
        return _array(fields)
    if b"__npgeneric__" in fields:
        return _scalar(fields)
    return fields


def _array(fields: dict[Any, Any]) -> np.ndarray:
    dtype, shape, data = _dtype(fields), fields.get(b"shape"), fields.get(b"data")
    if not isinstance(data, bytes) or not isinstance(shape, list) or len(shape) > MAX_AXES:
        raise ValueError(f"an array needs data and a shape of at most {MAX_AXES} axes")
    if not all(type(n) is int and n >= 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"an array of shape {shape} and {dtype} has {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape)


def _scalar(fields: dict[Any, Any]) -> int | float | bool:
    value = fields.get(b"data")
    if not isinstance(value, int | float):
        raise ValueError("a number needs data")
    _dtype(fields)
    return value


def _dtype(fields: dict[Any, Any]) -> np.dtype:
    name = fields.get(b"dtype")
    if name not in DTYPES:
        raise ValueError(f"arrays of {str(name)[:20]!r} are not read; choose one of {_names()}")
    return np.dtype(name)


def _names() -> str:
    return ", ".join(np.dtype(name).name for name in DTYPES)
