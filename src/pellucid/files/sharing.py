"""What several processes do with one file: a lock that goes with its holder, and a name taken while others read it.

Windows has other calls for both, and other rules: a name cannot be taken, nor a file removed, as long as somebody has
that file open.
"""

from __future__ import annotations

import errno
import os
import sys
import time

PAUSE_S = 0.1
"""Between two looks whether a lock is free."""

PATIENCE_S = 2.0
"""How long a name is tried to be taken from a file that somebody reads."""

_READ_BY_OTHERS = (5, 32)  # ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION: what Windows says of an open file

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # nobody else may read what is locked: a byte beyond the end

    def lock(handle: int) -> bool:
        """Keep other processes out of an open file until it is closed. False where another one has it; none waits.

        Errors: OSError where the file system has no locks.
        """
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EDEADLK):
                raise
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True
else:
    import fcntl

    def lock(handle: int) -> bool:
        """Keep other processes out of an open file until it is closed. False where another one has it; none waits.

        Errors: OSError where the file system has no locks.
        """
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def rename(beside: str | os.PathLike[str], name: str | os.PathLike[str], folder: int | None = None) -> None:
    """Give a file the name of another, in whose place it comes; both in an open folder, where one is given.

    Errors: OSError; where somebody reads the other one, and may not be disturbed, after PATIENCE_S.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _READ_BY_OTHERS or time.monotonic() > until:
                raise
        time.sleep(PAUSE_S / 10)
