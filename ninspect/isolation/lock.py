"""Rights that a process gives up for good: resource limits everywhere on Unix, and Landlock on Linux."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import stat
import sys
from collections.abc import Iterable
from enum import IntFlag
from pathlib import Path

LAYERS = ("process", "memory", "files", "network")

_LINUX = sys.platform == "linux"
# What Python, its libraries and ONNX Runtime go on reading: modules, shared libraries, facts about the processor.
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/null", "/dev/urandom",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system",
)  # fmt: skip
_DRIVER = ("/proc", "/sys", "/dev")  # what NVIDIA's libraries ask about the GPU
_STACKS = 64 * 1024**2  # address space for each processor: threads reserve it, and hardly use it
_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38  # options of prctl
_SPARE_TASKS = 1024  # more threads than any pool of ONNX Runtime has, far fewer than a fork bomb


def end_with(parent: int) -> None:
    """Have this process killed when its parent ends, where the kernel can do that."""
    if _LINUX:
        _control(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            os._exit(1)


def lock(
    readable: Iterable[Path], *, memory: int, seconds: float, gpu: bool = False, watched: bool = True
) -> dict[str, str]:
    """Give up all rights but those that a scan needs. To be called after the imports, before anything untrusted.

    Args:
        readable: files and folders that may be read, besides those of Python and the system.
        memory: bytes that may be allocated from now on.
        seconds: of wall time that the parent will wait.
        gpu: leave the devices of the GPU open, and the address space without limit, of which CUDA reserves terabytes.
        watched: the parent sees how much memory this process holds, and ends it when that is too much.

    Returns:
        The members of `LAYERS` that this system cannot provide, each with the reason.
    """
    modules = (sys.prefix, sys.base_prefix, *filter(None, sys.path))
    files = [*readable, *map(Path, (*modules, *_SYSTEM, *(_DRIVER if gpu else ())))]
    devices = gpu_devices() if gpu else []
    limited = _limit(memory, seconds, gpu)
    missing = {} if limited or watched else {"memory": "this system neither limits nor tells the memory of a process"}
    return missing | _restrict(files, devices)


def gpu_devices() -> list[Path]:
    """Device files of NVIDIA GPUs, also where Windows lends them."""
    return [path for path in (*Path("/dev").glob("nvidia*"), Path("/dev/dxg")) if path.is_char_device()]


def _limit(memory: int, seconds: float, gpu: bool) -> bool:
    """Resource limits, a second fence around what the parent does; returns whether there is one of the memory."""
    try:
        import resource
    except ImportError:
        return False

    def limit(kind: int, value: int) -> None:
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))

    limit(resource.RLIMIT_CORE, 0)
    processors = os.cpu_count() or 1
    limit(resource.RLIMIT_CPU, math.ceil(seconds) * processors + 60)
    if not gpu:
        limit(resource.RLIMIT_FSIZE, 0)
    if not _LINUX:  # it would not enforce a limit of the address space
        return False
    limit(resource.RLIMIT_NPROC, _tasks() + _SPARE_TASKS)
    if not gpu:
        limit(resource.RLIMIT_AS, _address_space() + memory + processors * _STACKS)
    return not gpu


def _tasks() -> int:
    """Threads on the whole machine, so no fewer than those of this user."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


class _Files(IntFlag):
    """LANDLOCK_ACCESS_FS_*, those that are given; the other bits are known to the kernel and never given."""

    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    CONTROL_DEVICE = 1 << 15


# How many kinds of access to files a version of Landlock knows, and from which version it knows more than files.
_KNOWN_FILES = {1: 13, 2: 14, 3: 15, 4: 15}
_MOST_FILES = 16
_KNOWS_TCP, _KNOWS_SCOPES = 4, 6
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract Unix sockets and signals: none to processes outside
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_ASK_VERSION = 1
_BELOW_PATH = 1


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("handle", ctypes.c_int32))


def _restrict(readable: Iterable[Path], devices: Iterable[Path]) -> dict[str, str]:
    """Landlock: read what is given, write and execute nothing, no TCP, no signals to other processes."""
    version, reason = landlock_version()
    if version == 0:
        return {"files": reason, "network": reason}
    known = (1 << _KNOWN_FILES.get(version, _MOST_FILES)) - 1
    rules = _Ruleset(known, _TCP if version >= _KNOWS_TCP else 0, _SCOPES if version >= _KNOWS_SCOPES else 0)
    handle = _call(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    try:
        for path in readable:
            _allow(handle, path, _Files.READ_FILE | _Files.READ_DIR)
        for path in devices:
            _allow(handle, path, (_Files.READ_FILE | _Files.WRITE_FILE | _Files.CONTROL_DEVICE) & known)
        _control(_NO_NEW_PRIVILEGES, 1)
        _call(_RESTRICT_SELF, handle, 0)
    finally:
        os.close(handle)
    return {} if version >= _KNOWS_TCP else {"network": f"version {version} of Landlock knows no TCP"}


def landlock_version() -> tuple[int, str]:
    """Landlock's version; 0 where it cannot be used, and why."""
    if not _LINUX:
        return 0, "Landlock is a part of Linux"
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        return 0, "Landlock would not reach threads that are running already"
    try:
        return _call(_CREATE_RULESET, None, 0, _ASK_VERSION), ""
    except OSError as error:
        return 0, f"this kernel has no Landlock, or not for us: {error.strerror}"


def _allow(ruleset: int, path: Path, access: int) -> None:
    """Allow access to a file, or to everything below a folder; what is not there needs no rule."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = access if stat.S_ISDIR(os.fstat(handle).st_mode) else access & ~_Files.READ_DIR
        _call(_ADD_RULE, ruleset, _BELOW_PATH, ctypes.byref(_Rule(allowed, handle)), 0)
    finally:
        os.close(handle)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in (number, *arguments)]
    libc.syscall.restype = ctypes.c_long
    result = int(libc.syscall(*words))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _control(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)
