"""On Windows: put children, and whatever they start, into a job object that ends all of them when this process ends.

There a job does what the parent-death signal, process groups and the orphan reaper do elsewhere. This could not be run
by its authors, who have no Windows: it follows Microsoft's documentation of job objects and is checked for types only.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import ctypes
    import functools
    from ctypes import wintypes

    _KILL_ON_JOB_CLOSE = 0x2000
    _EXTENDED_LIMITS = 9
    _SET_QUOTA_AND_TERMINATE = 0x0100 | 0x0001
    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.CreateJobObjectW.restype = wintypes.HANDLE
    _kernel.OpenProcess.restype = wintypes.HANDLE

    class _Basic(ctypes.Structure):
        """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

        _fields_ = [
            ("process_time", ctypes.c_int64),
            ("job_time", ctypes.c_int64),
            ("flags", wintypes.DWORD),
            ("least_working_set", ctypes.c_size_t),
            ("most_working_set", ctypes.c_size_t),
            ("active_processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority", wintypes.DWORD),
            ("scheduling", wintypes.DWORD),
        ]

    class _Extended(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = [
            ("basic", _Basic),
            ("transfers", ctypes.c_uint64 * 6),
            ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t),
            ("peak_process_memory", ctypes.c_size_t),
            ("peak_job_memory", ctypes.c_size_t),
        ]

    @functools.cache
    def _job() -> int:
        """Of this process. Its handle is never closed by us, but by the system at our end: that is what ends the job."""
        job = _kernel.CreateJobObjectW(None, None)
        limits = _Extended(basic=_Basic(flags=_KILL_ON_JOB_CLOSE))
        if not job or not _kernel.SetInformationJobObject(
            wintypes.HANDLE(job), _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        return int(job)

    def join_job(pid: int) -> None:
        """Raises OSError."""
        process = _kernel.OpenProcess(_SET_QUOTA_AND_TERMINATE, False, pid)
        if not process:
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            if not _kernel.AssignProcessToJobObject(wintypes.HANDLE(_job()), wintypes.HANDLE(process)):
                raise ctypes.WinError(ctypes.get_last_error())
        finally:
            _kernel.CloseHandle(wintypes.HANDLE(process))
