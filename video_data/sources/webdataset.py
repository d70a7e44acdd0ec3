"""WebDataset shards of videos in, on this machine or far away (http, s3, gs); clips with words out."""

import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from webdataset.shardlists import expand_urls

from lapa.files import value_hash
from video_data.clip import Clip, Fault
from video_data.decode import Cutting
from video_data.header import UnusableVideo
from video_data.sources.folder import quick_hash, video_clips
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
            paths = sorted(folder.rglob("*.tar"))
            found = [Shard(str(path), path.relative_to(folder).as_posix()) for path in paths]
        else:
            found = [Shard(address, SECRET.sub("", address)) for address in expand_urls(self.shards)]
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
                raise UnusableVideo(f"is no tar, or damaged: {error}") from error

    def _samples(self, shard: Shard, tar: tarfile.TarFile) -> Iterator[Clip | Fault]:
        key, members = "", dict[str, tarfile.TarInfo]()
        for member in tar:
            folder, _, name = member.name.rpartition("/")
            stem, _, kind = name.partition(".")
            if f"{folder}/{stem}" != key:
                yield from self._sample(shard, key, members, tar)
                key, members = f"{folder}/{stem}", {}
            if member.isfile():
                members[f".{kind.lower()}"] = member
        yield from self._sample(shard, key, members, tar)
        if not is_end(tar):
            yield Fault(f"{shard} after {key.strip('/')}", "is cut off or damaged: the rest cannot be found")

    def _sample(self, shard: Shard, key: str, members: dict[str, Any], tar: tarfile.TarFile) -> Iterator[Clip | Fault]:
        if not key:
            return
        name = f"{shard}/{key.strip('/')}"
        videos = [kind for kind in members if kind.endswith(self.extensions)]
        with tempfile.TemporaryDirectory(prefix="lapa-") as folder:
            try:
                if not videos:
                    raise UnusableVideo(f"has no video; it holds {', '.join(sorted(members))}")
                # names of our own: a tar's may lead out of the folder
                video = Path(folder) / f"video{PurePosixPath(videos[0]).suffix}"
                for kind in (videos[0], *(word for word in WORDS if word in members)):
                    with open(video if kind == videos[0] else video.with_suffix(kind), "wb") as file:
                        shutil.copyfileobj(tar.extractfile(members[kind]), file)  # type: ignore[arg-type]
                words = words_of(video, {})
                words = words._replace(text=words.text or words_in_name(PurePosixPath(key).name))
                yield from video_clips(video, name, words, self.cutting, self.timeout_s)
            except UnusableVideo as error:
                yield Fault(name, str(error))
            except ValueError as error:
                yield Fault(name, f"has unreadable words: {str(error).rpartition(': ')[2]}")


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
