"""A folder, or a name on the Hugging Face hub, in; a folder on this machine out; and a folder sent up to the hub."""

import re
import time
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError, HTTPError

# Only what is read is fetched: nothing that could execute ever lies in the cache because of us.
FILES = {
    "dataset": ["meta/*", "data/*", "videos/*"],
    "model": ["config.json", "model.safetensors", "statistics.json", "README.md", "manifest.json"],
}

TRAINED = ("checkpoint", "init_from", "model.init_from", "latent_policy")  # by which doors take a trained policy
# A server's refusal, and a connection that fails: the client's own errors, which are no OSError.
FAILS = (OSError, HTTPError)
WAITS_S = (2, 4, 8)  # [s] before a hub that fails is asked again; for single files the client does so itself
NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[\w./-]+)?")


def fetch(name: str, *, kind: str, revision: str | None) -> Path:
    """The folder `name`, or else the repository `name` ("user/name", of `kind` "model" or "dataset") in the hub's cache.

    revision: branch, tag or commit on the hub. ValueError when there is neither, or the hub cannot be reached.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    try:
        found = _loaded(name, repo_type=kind, revision=revision, allow_patterns=FILES[kind])
    except HFValidationError as error:
        raise ValueError(f"no folder {name}, and it is no name on the hub (user/name)") from error
    except FAILS as error:
        raise ValueError(f"no folder {name}, and the hub gives no {kind} {name!r}: {_first_line(error)}") from error
    return Path(found)


def placed(override: str) -> str:
    """`checkpoint=user/name` → `checkpoint=FOLDER`, fetched where it is not in the cache; anything else as it is.

    Of the keys in `TRAINED`; `user/name@revision` names a branch, tag or commit. ValueError as `fetch`'s.
    """
    key, _, name = override.partition("=")
    if key not in TRAINED or not NAME.fullmatch(name) or Path(name).exists():
        return override
    repository, _, revision = name.partition("@")
    return f"{key}={fetch(repository, kind='model', revision=revision or None)}"


def push(folder: Path, name: str, *, private: bool, api: Any = None) -> str:
    """Send a model folder's files to the repository `name`, made when it is not there; returns its address.

    Who may write is `hf auth login`'s affair. ValueError when the hub refuses or cannot be reached.
    """
    api = api or HfApi()
    try:
        address = api.create_repo(name, repo_type="model", private=private, exist_ok=True)
        api.upload_folder(repo_id=name, repo_type="model", folder_path=folder, allow_patterns=FILES["model"])
    except HFValidationError as error:
        raise ValueError(f"{name!r} is no name on the hub (user/name)") from error
    except FAILS as error:
        raise ValueError(f"the hub does not take {name!r}: {_first_line(error)}") from error
    return str(address)


def _loaded(name: str, **what: Any) -> str:
    """The folder in the cache; the last error, after several attempts where another may go better."""
    for wait_s in WAITS_S:
        try:
            return snapshot_download(name, **what)
        except FAILS as error:
            if not _may_pass(error):
                raise
        time.sleep(wait_s)
    return snapshot_download(name, **what)


def _may_pass(error: Exception) -> bool:
    """Whether it is a server's own fault or a lost connection; not "no such dataset", not "offline"."""
    causes = [cause for cause in (error, error.__cause__) if isinstance(cause, HTTPError)]
    responses = [getattr(cause, "response", None) for cause in causes]
    return bool(causes) and all(response is None or response.status_code >= 500 for response in responses)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
