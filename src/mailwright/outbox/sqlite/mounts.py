"""Which file systems are not this machine's own: there SQLite's locks and its shared memory don't hold, and two
programs damage what they write (sqlite.org/wal.html: all processes must be on one machine).
"""

from __future__ import annotations

import os.path
import sys

NETWORK = frozenset(
    "9p acfs afs beegfs ceph cifs coda davfs fuse.ceph fuse.curlftpfs fuse.davfs fuse.glusterfs fuse.gocryptfs-remote "
    "fuse.rclone fuse.s3fs fuse.smbnetfs fuse.sshfs gfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs "
    "prl_fs smb3 smbfs sshfs vboxsf vmhgfs".split()
)


def network_file_system(path: str) -> str:
    """The kind of the network file system that `path` is on; empty for a local one, or where that can't be known."""
    if sys.platform == "win32":
        return "UNC" if os.path.realpath(path).startswith(("\\\\", "//")) else ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounted:
            return network_kind(os.path.realpath(path), mounted.read())
    except OSError:
        return ""  # no Linux: there is no list that every such system has


def network_kind(path: str, mountinfo: str) -> str:
    """The same by the text of a mountinfo, proc(5): the mount point is the fifth field, the type the first after the
    lone hyphen. The last of the longest mount points that lead to `path` counts.
    """
    longest, kind = -1, ""
    for line in mountinfo.splitlines():
        front, hyphen, back = line.partition(" - ")
        fields = front.split(" ")
        if not hyphen or len(fields) < 5:
            continue
        point = (
            fields[4].encode("utf-8", "surrogateescape").decode("unicode_escape") if "\\" in fields[4] else fields[4]
        )
        inside = point == "/" or path == point or path.startswith(point + "/")
        if inside and len(point) >= longest:
            longest, kind = len(point), back.split(" ")[0]
    return kind if kind in NETWORK else ""
