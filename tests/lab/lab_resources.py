"""Records of what labs have created on this machine, kept in /run so that it can be removed after a crash."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

REGISTERS = Path("/run/procomu-lab")
KINDS = ("process", "mount", "namespace", "folder", "cgroup")


class LabResources:
    """The records of one lab, written to disk before the thing itself exists."""

    def __init__(self, path: Path, owner: list[int], things: dict[str, list[Any]]) -> None:
        self.path = path
        self.owner = owner
        self.things = things

    @classmethod
    def opened(cls, name: str) -> "LabResources":
        REGISTERS.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = cls(REGISTERS / f"{name}.json", [os.getpid(), process_started(os.getpid()) or 0], {})
        made._save()
        return made

    @classmethod
    def read(cls, path: Path) -> "LabResources | None":
        try:
            document = json.loads(path.read_text())
            return cls(path, document["owner"], document["things"])
        except (OSError, ValueError, KeyError):
            return None

    def add(self, **thing: Any) -> None:
        for kind, value in thing.items():
            assert kind in KINDS
            self.things.setdefault(kind, []).append(value)
        self._save()

    def owner_lives(self) -> bool:
        return process_started(self.owner[0]) == self.owner[1]

    def _save(self) -> None:
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps({"owner": self.owner, "things": self.things}))
        draft.replace(self.path)


def process_started(pid: int) -> int | None:
    """Start time of the process in clock ticks since boot: unique together with the pid. None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rsplit(")", 1)[1].split()
    return None if fields[0] == "Z" else int(fields[19])


def sweep() -> list[str]:
    """Removes what labs of dead processes left behind; returns what was removed."""
    cleared: list[str] = []
    for path in sorted(REGISTERS.glob("*.json")):
        resources = LabResources.read(path)
        if resources is None or resources.owner_lives():
            continue
        cleared += remove_what_was_registered(resources)
    return cleared


def remove_what_was_registered(resources: LabResources) -> list[str]:
    """Processes first, then mounts, namespaces, folders and control groups; missing ones are no error."""
    things = resources.things
    names = [str(name) for name in things.get("namespace", [])]
    removed = _end_processes(things.get("process", []), names)
    for mount in reversed(things.get("mount", [])):
        _quietly("umount", "-l", str(mount))
    for name in reversed(names):
        if Path("/run/netns", name).exists():
            _quietly("ip", "netns", "del", name)
            removed.append(f"namespace {name}")
    for folder in things.get("folder", []):
        if Path(folder).is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(f"folder {folder}")
    for cgroup in things.get("cgroup", []):
        _remove_cgroup(Path(cgroup))
    with contextlib.suppress(FileNotFoundError):
        resources.path.unlink()
    return removed


def _remove_cgroup(folder: Path) -> None:
    """The kernel refuses while a process that was just killed is still in it."""
    for _ in range(100):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)


def _end_processes(recorded: list[list[int]], namespaces: list[str]) -> list[str]:
    """Kills recorded processes whose start time still matches, and all processes in the lab's namespaces."""
    ended: list[str] = []
    for _ in range(50):
        ours = {pid for pid, started in recorded if process_started(pid) == started}
        for name in namespaces:
            ours |= _pids_in(name)
        ours.discard(os.getpid())
        if not ours:
            break
        for pid in ours:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                ended.append(f"process {pid}")
        time.sleep(0.02)
    return list(dict.fromkeys(ended))


def _pids_in(namespace: str) -> set[int]:
    if not Path("/run/netns", namespace).exists():
        return set()
    done = subprocess.run(["ip", "netns", "pids", namespace], check=False, capture_output=True, text=True)
    return {int(word) for word in done.stdout.split() if process_started(int(word)) is not None}


def _quietly(*argv: str) -> None:
    subprocess.run(argv, check=False, capture_output=True)
