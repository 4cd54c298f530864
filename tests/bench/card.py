"""A block device for one benchmark: ext4 on a loop device over a preallocated file. The kernel counts the sectors of
this device separately from other disks, including those of the file system's journal. Needs root."""

import os
import pathlib
import subprocess

SECTOR_BYTES = 512  # of /proc/diskstats, whatever the sector size of the device


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout.strip()


class Card:
    """A new file system of `size` bytes, mounted at `.mount`; its image is in `folder`."""

    def __init__(self, folder, size):
        self.image, self.mount = pathlib.Path(folder) / "card.image", pathlib.Path(folder) / "card"
        self.mount.mkdir()
        self.device = ""
        with open(self.image, "wb") as image:
            os.posix_fallocate(image.fileno(), 0, size)
        # No lazy initialisation: what ext4 would write later by itself must not count as the broker's writes.
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        try:
            self.device = run("losetup", "--find", "--show", self.image)
            run("mount", self.device, self.mount)
        except BaseException:
            self.close()
            raise

    def settle(self):
        """Waits until everything written so far is on the device."""
        run("sync", "--file-system", self.mount)

    def written(self):
        """Returns the bytes written to the device since it was made."""
        for line in pathlib.Path("/proc/diskstats").read_text().splitlines():
            fields = line.split()
            if fields[2] == os.path.basename(self.device):
                return int(fields[9]) * SECTOR_BYTES
        raise RuntimeError(f"{self.device} is not in /proc/diskstats")

    def close(self):
        if os.path.ismount(self.mount):
            run("umount", self.mount)
        if self.device:
            run("losetup", "--detach", self.device)
        self.image.unlink(missing_ok=True)
        self.mount.rmdir()
