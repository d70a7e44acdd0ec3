"""WebDataset shards of videos in, on this machine or far away (http, s3, gs); clips with words out."""

import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from webdataset.shardlists import expand_urls

from lapa.files import quick_hash, value_hash
from video_data.clip import Clip, Fault, clip_key
from video_data.decode import Cutting
from video_data.header import UnusableVideo
from video_data.sources.files import files_under
from video_data.sources.folder import video_clips
from video_data.sources.remote import Patience, check_ours, copied
from video_data.sources.sequence import check_fit
from video_data.sources.words import words_in_name, words_of

WORDS = (".txt", ".json")
BLOCK = tarfile.BLOCKSIZE
SECRET = re.compile(r"\?.*|(?<=://)[^/@]*@")  # of an address: what is asked with, and who asks


class Shard(NamedTuple):
    """A tar of samples."""

    address: str  # a path, or with "://" one far away
    name: str  # for keys and lists: in the folder, or without secrets

    def __str__(self) -> str:
        return self.name


class WebDatasetSource:
    """Clips of the videos in `shards`: a folder, or addresses with {a..b}, divided by "::".

    A sample is what has one name up to the first dot: a video, and its words in .txt or .json (else in its name).
    """

    def __init__(
        self, *, shards: str | None, extensions: list[str], attempts: int, wait_s: float, stall_s: float,
        timeout_s: float, cutting: Cutting,
    ):  # fmt: skip
        if shards is None or attempts < 1:
            raise ValueError("source=webdataset needs videos=FOLDER_OR_ADDRESSES, and at least one source.attempts")
        self.shards, self.extensions, self.timeout_s = shards, tuple(extensions), timeout_s
        self.patience, self.cutting = Patience(attempts, wait_s, stall_s), check_fit(cutting)

    def items(self) -> list[Shard]:
        """The shards in order; ValueError when there is none."""
        folder = Path(self.shards).expanduser()
        if folder.is_dir():
            found = [Shard(str(folder / path), path) for path in files_under(folder) if path.endswith(".tar")]
        else:
            addresses = expand_urls(self.shards)
            names = [SECRET.sub("", address) for address in addresses]
            if len(set(names)) < len(names):  # they differ in what is asked with
                names = [f"{name}#{number}" for number, name in enumerate(names)]
            found = [Shard(*pair) for pair in zip(addresses, names, strict=True)]
        missing = [shard.address for shard in found if "://" not in shard.address and not Path(shard.address).is_file()]
        if not found or missing:
            raise ValueError(f"no shard {missing[0]}" if missing else f"no shards (*.tar) in {folder}")
        return found

    def contents(self) -> str:
        """A hash of the shards; those far away count by their names, as they are not written twice."""
        shards = self.items()
        return value_hash({s.name: "" if "://" in s.address else quick_hash(Path(s.address)) for s in shards})

    def read(self, shard: Shard) -> Iterator[Clip | Fault]:
        """The clips of one shard in order; UnusableVideo when it cannot be loaded, a fault for a sample or a lost rest."""
        far = "://" in shard.address
        with copied(shard.address, self.patience, whole=has_end) if far else nullcontext(Path(shard.address)) as path:
            try:
                with tarfile.open(path, "r:") as tar:
                    yield from self._samples(shard, tar)
            except (tarfile.TarError, OSError) as error:
                check_ours(error)
                yield Fault(str(shard), f"is no tar, or damaged: {error}")  # what came before it is kept

    def _samples(self, shard: Shard, tar: tarfile.TarFile) -> Iterator[Clip | Fault]:
        seen: set[str] = set()
        name = str(shard)
        for key, members in samples(tar):
            name = f"{shard}/{key}"
            if name in seen:
                yield Fault(name, "stands twice in its shard, and not in one place: the first is read")
                continue
            seen.add(name)
            try:
                for number, clip in enumerate(self._clips(name, members, tar)):
                    yield clip._replace(key=clip_key(name, number))  # several videos of a sample are numbered through
            except UnusableVideo as error:
                yield Fault(name, str(error))
        if not is_end(tar):
            yield Fault(
                f"{shard} after {name.removeprefix(f'{shard}/')}", "is cut off or damaged: the rest cannot be found"
            )

    def _clips(self, name: str, members: list[tarfile.TarInfo], tar: tarfile.TarFile) -> Iterator[Clip]:
        """Those of every video of a sample; UnusableVideo with the reason."""
        kinds = {kind_of(member): member for member in members}
        videos = [kind for kind in kinds if kind.endswith(self.extensions)]
        if len(kinds) < len(members):
            raise UnusableVideo("holds two files of one name")
        if not videos:
            raise UnusableVideo(f"has no video; it holds {', '.join(sorted(kinds))}")
        with tempfile.TemporaryDirectory(prefix="lapa-") as folder:
            for kind in videos:
                # names of our own: a tar's may lead out of the folder
                video = Path(folder) / f"video{PurePosixPath(kind).suffix}"
                unpack(tar, kinds[kind], video)
                for word in WORDS:
                    if word in kinds:
                        unpack(tar, kinds[word], video.with_suffix(word))
                try:
                    words = words_of(video, {})
                except ValueError as error:
                    raise UnusableVideo(f"has unreadable words: {str(error).rpartition(': ')[2]}") from error
                words = words._replace(text=words.text or words_in_name(PurePosixPath(name).name))
                yield from video_clips(video, name, words, self.cutting, self.timeout_s)


def samples(tar: tarfile.TarFile) -> Iterator[tuple[str, list[tarfile.TarInfo]]]:
    """Neighbours of one name up to the first dot, as (name, members); folders, and names that begin with a dot, are none."""
    files = (member for member in tar if not member.isdir() and not PurePosixPath(member.name).name.startswith("."))
    for key, members in groupby(
        files, key=lambda member: member.name.strip("/").removesuffix(kind_of(member, exact=True))
    ):
        yield key, list(members)


def kind_of(member: tarfile.TarInfo, *, exact: bool = False) -> str:
    """What stands behind a member's name, ".cam.mp4" of "a/b.cam.mp4"; in small letters unless `exact`."""
    kind = "".join(PurePosixPath(member.name).name.partition(".")[1:])
    return kind if exact else kind.lower()


def unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Copy a member to `path`; UnusableVideo for a link, and for a file with holes: a few bytes can tell of terabytes."""
    if not member.isreg() or member.issparse():
        raise UnusableVideo(f"holds {PurePosixPath(member.name).name}, which is a link or has holes")
    with open(path, "wb") as file:
        shutil.copyfileobj(tar.extractfile(member), file)  # type: ignore[arg-type]


def is_end(tar: tarfile.TarFile) -> bool:
    """Whether reading ended where the tar does: tarfile takes a damaged header for the end."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    return tar.fileobj.read(BLOCK) == bytes(BLOCK)


def has_end(path: Path) -> bool:
    """Whether a file ends as a tar does, with two blocks of zeros."""
    with open(path, "rb") as file:
        file.seek(-min(2 * BLOCK, path.stat().st_size), 2)
        return file.read() == bytes(2 * BLOCK)
