"""A block device of one's own: ext4 on a loop device over a preallocated file. The kernel counts its sectors apart from
every other disk's, the file system's journal among them. Needs root."""

import os
import pathlib
import subprocess

SECTOR_BYTES = 512  # in /proc/diskstats, whatever the device's own


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout.strip()


class Card:
    """A fresh file system of `size` bytes, its image in `folder`; mounted at `.mount`."""

    def __init__(self, folder, size):
        self.image, self.mount = pathlib.Path(folder) / "card.image", pathlib.Path(folder) / "card"
        self.mount.mkdir()
        self.device = ""
        with open(self.image, "wb") as image:
            os.posix_fallocate(image.fileno(), 0, size)
        # Made whole at once: what ext4 would write later, by itself, must not count as the broker's.
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        try:
            self.device = run("losetup", "--find", "--show", self.image)
            run("mount", self.device, self.mount)
        except BaseException:
            self.close()
            raise

    def settle(self):
        """Everything written so far is on the device."""
        run("sync", "--file-system", self.mount)

    def written(self):
        """Bytes that the device was given since it was made."""
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
