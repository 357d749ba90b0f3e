"""Start a program that cannot outlive us: `python -I -S pdeathsig.py PARENT_PID PROGRAM ARGUMENT...`.

However the server dies, the kernel then kills the program too (prctl(2), PR_SET_PDEATHSIG with SIGKILL; a recording is
whole up to its last fragment at any moment, so nothing gentler is needed). It cannot be done between fork and
exec of a program with threads, so this stands in between for a few milliseconds and then becomes the program.
It imports nothing of hlscam, so that it starts fast.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def bound_to_us(argv: list[str]) -> list[str]:
    """The command line that starts `argv` (absolute program first) so that it ends with this process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def main(parent_pid: int, argv: list[str]) -> None:
    """Bind our life to the parent's, then become `argv`."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
        if os.getppid() != parent_pid:
            sys.exit(1)  # the parent died before the kernel was told
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
