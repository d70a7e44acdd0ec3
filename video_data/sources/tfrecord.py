"""A TFRecord file in; its records with their checksums proved, and the numbers and bytes of each tf.train.Example, out.

Framing: tensorflow.org/tutorials/load_data/tfrecord (length, its CRC, data, its CRC). Message: tensorflow's example.proto.
"""

import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from video_data.header import UnusableVideo
from video_data.sources.sequence import optional

HEAD, TAIL = struct.Struct("<QI"), struct.Struct("<I")  # length of the data [bytes] and its CRC; CRC of the data
MASK = 0xA282EAD8
LISTS = {  # fields of tensorflow.Feature in the order of their numbers
    "bytes_list": ("BytesList", "TYPE_BYTES"),
    "float_list": ("FloatList", "TYPE_FLOAT"),
    "int64_list": ("Int64List", "TYPE_INT64"),
}


class Span(NamedTuple):
    """Where a record's data lie in a file."""

    offset: int  # [bytes]
    length: int  # [bytes]


def spans(path: Path) -> Iterator[Span]:
    """Where the records of a file lie, by its headers alone. UnusableVideo where the file is damaged or cut off.

    What was yielded before is whole by its length; what comes after a damaged length cannot be found.
    """
    size, offset = path.stat().st_size, 0
    with open(path, "rb") as file:
        while offset < size:
            file.seek(offset)
            head = file.read(HEAD.size)
            if len(head) < HEAD.size:
                raise UnusableVideo(f"is cut off after {offset} bytes")
            length, crc = HEAD.unpack(head)
            if masked_crc(head[:8]) != crc:
                raise UnusableVideo(f"is no TFRecord or damaged after {offset} bytes: the rest cannot be found")
            if offset + HEAD.size + length + TAIL.size > size:
                raise UnusableVideo(f"is cut off after {offset} bytes")
            yield Span(offset + HEAD.size, length)
            offset += HEAD.size + length + TAIL.size


def read_record(path: Path, span: Span) -> bytes:
    """The data of one record; UnusableVideo when they are not those that were written."""
    with open(path, "rb") as file:
        file.seek(span.offset)
        data, tail = file.read(span.length), file.read(TAIL.size)
    if len(tail) < TAIL.size or masked_crc(data) != TAIL.unpack(tail)[0]:
        raise UnusableVideo("is damaged: its checksum does not fit")
    return data


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted as TensorFlow does, so that the CRC of data that hold CRCs is as good."""
    crc = optional("google_crc32c", extra="rlds").value(data)
    return (((crc >> 15) | (crc << 17)) + MASK) & 0xFFFFFFFF


def parse_example(data: bytes) -> dict[str, Any]:
    """{feature: its values, a sequence of bytes, float or int}; UnusableVideo when the bytes are no tf.train.Example."""
    message = optional("google.protobuf.message", extra="rlds")
    example = example_class()()
    try:
        example.ParseFromString(data)
    except message.DecodeError as error:
        raise UnusableVideo("is no tf.train.Example") from error
    kinds = ((name, feature, feature.WhichOneof("kind")) for name, feature in example.features.feature.items())
    return {name: getattr(feature, kind).value for name, feature, kind in kinds if kind}


@lru_cache(maxsize=1)
def example_class() -> Any:
    """The class of tf.train.Example, made of its description: no generated code, no TensorFlow."""
    descriptor = optional("google.protobuf.descriptor_pb2", extra="rlds")
    pool = optional("google.protobuf.descriptor_pool", extra="rlds").DescriptorPool()
    file = descriptor.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")
    field = descriptor.FieldDescriptorProto

    def add(message: Any, name: str, number: int, kind: str, **more: Any) -> None:
        message.field.add(name=name, number=number, type=getattr(field, kind), **{"label": field.LABEL_OPTIONAL} | more)

    for name, kind in LISTS.values():
        add(file.message_type.add(name=name), "value", 1, kind, label=field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, (kind, _)) in enumerate(LISTS.items(), start=1):
        add(feature, name, number, "TYPE_MESSAGE", type_name=f".tensorflow.{kind}", oneof_index=0)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry", options=descriptor.MessageOptions(map_entry=True))
    add(entry, "key", 1, "TYPE_STRING")
    add(entry, "value", 2, "TYPE_MESSAGE", type_name=".tensorflow.Feature")
    place = ".tensorflow.Features.FeatureEntry"
    add(features, "feature", 1, "TYPE_MESSAGE", type_name=place, label=field.LABEL_REPEATED)
    add(file.message_type.add(name="Example"), "features", 1, "TYPE_MESSAGE", type_name=".tensorflow.Features")
    pool.Add(file)
    factory = optional("google.protobuf.message_factory", extra="rlds")
    return factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
