"""
Become another program that dies with whoever started this one, even when that is killed with signal 9.

Run as a file, without the packages of the environment: ``launcher.py DEATH UID GID PARENT COMMAND...``. DEATH is the
signal that the program gets when process PARENT ends; UID 0 keeps the user.
"""

import ctypes
import os
import signal
import subprocess
import sys
import types

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Drop rights if asked to, tie the program's life to the parent's, and run it."""
    death, uid, gid, parent = (int(argument) for argument in sys.argv[1:5])
    command = sys.argv[5:]
    libc = ctypes.CDLL(None)
    if uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform != "linux":
        sys.exit(_watch(command, death, parent))
    libc.prctl(PR_SET_PDEATHSIG, death, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606  # our own servers


def _watch(command: list[str], death: int, parent: int) -> int:
    """Run *command* beside this process where the system cannot tie the two; look for the parent twice a second."""
    child = subprocess.Popen(command)  # noqa: S603  # our own servers

    def pass_on(number: int, _frame: types.FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, pass_on)
    while True:
        try:
            return child.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            if os.getppid() != parent:
                child.send_signal(death)


if __name__ == "__main__":
    main()
