"""The system calls that code in a sandbox lacks, as a filter that the kernel runs.

Namespaces hide files, the network and other processes. This filter takes away what is left: new
processes and threads (so that a fork bomb fails at its first step, also for the superuser, to whom
``RLIMIT_NPROC`` does not apply), memory that counts towards no limit, sockets, signals, and calls
with which others have broken out of namespaces.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping
from types import MappingProxyType

# The numbers of the system calls, on x86_64 and on aarch64; None where there is no such call.
DENIED: Mapping[str, tuple[int | None, int | None]] = MappingProxyType(
    {
        "clone": (56, 220),
        "fork": (57, None),
        "vfork": (58, None),
        "kill": (62, 129),
        "tkill": (200, 130),
        "tgkill": (234, 131),
        "rt_sigqueueinfo": (129, 138),
        "rt_tgsigqueueinfo": (297, 240),
        "pidfd_send_signal": (424, 424),
        "pidfd_open": (434, 434),
        "pidfd_getfd": (438, 438),
        "socket": (41, 198),
        "socketpair": (53, 199),
        "memfd_create": (319, 279),
        "memfd_secret": (447, 447),
        "shmget": (29, 194),
        "shmat": (30, 196),
        "semget": (64, 190),
        "msgget": (68, 186),
        "mq_open": (240, 180),
        "ptrace": (101, 117),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "mount": (165, 40),
        "umount2": (166, 39),
        "pivot_root": (155, 41),
        "chroot": (161, 51),
        "unshare": (272, 97),
        "setns": (308, 268),
        "open_tree": (428, 428),
        "move_mount": (429, 429),
        "fsopen": (430, 430),
        "add_key": (248, 217),
        "request_key": (249, 218),
        "keyctl": (250, 219),
        "bpf": (321, 280),
        "perf_event_open": (298, 241),
        "userfaultfd": (323, 282),
        "io_uring_setup": (425, 425),
    }
)
# Answered as if the kernel did not know it, so that the C library tries clone instead.
CLONE3 = 435
# The kernel's name for each machine, and the column of the table.
MACHINES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
)
X32 = 0x40000000  # from here on, the numbers of another way to call an x86_64 kernel

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def make_filter() -> bytes | None:
    """Return the filter for this machine; ``None`` if its system calls are not known here."""
    machine = platform.machine()
    if machine not in MACHINES:
        return None
    arch, column = MACHINES[machine]
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
    ]
    if column == 0:
        steps += [(_AT_LEAST, 0, 1, X32), (_RETURN, 0, 0, _KILL)]
    for numbers in DENIED.values():
        number = numbers[column]
        if number is not None:
            steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    steps += [(_EQUAL, 0, 1, CLONE3), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps)
