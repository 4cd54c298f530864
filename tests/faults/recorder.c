// A library to preload (LD_PRELOAD) into a program with a store. It replaces the calls that change the store's files,
// data.mdb and journal.ring. It does two things, each if its variable is set:
//
//   TIDEGATE_RECORDING=FILE       records, in order, all changes of the files and the program's marks (fault_mark)
//   TIDEGATE_FAILING_CALL=N       fails the N-th call (from 1) on the files, once, as TIDEGATE_FAILURE says; calls
//                                 before and after succeed
//   TIDEGATE_FAILURE=EIO|ENOSPC|EINTR|SHORT
//                                 the error of that call; SHORT: a write stores only half
//   TIDEGATE_CALLS=FILE           gets a line when the failure is applied, and one at the end with the number of calls
//
// A recording is a sequence of events in the machine's own byte order, as recording.hpp reads them:
//
//   kind u8: w write, s sync of the whole file, t size set, n data.mdb has its final name, m mark |
//   file u8: 0 data.mdb, 1 journal.ring | synced u8: by O_DSYNC | offset u64 | length u32 | length bytes
//
// The program may have only one thread that writes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void fault_mark(const char* text, size_t size);

static FILE* recording;
static long calls;
static long failing_call;
static bool has_failed;
static bool is_short;
static int failure;

// Finds the C library's function of this name, which ours replaces.
#define BEHIND(result, name, ...)       \
  static result (*behind)(__VA_ARGS__); \
  if (behind == NULL) *(void**)(&behind) = dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void begin(void) {
  const char* const path = getenv("TIDEGATE_RECORDING");
  if (path != NULL) recording = fopen(path, "wb");
  const char* const number = getenv("TIDEGATE_FAILING_CALL");
  if (number != NULL) failing_call = atol(number);
  const char* const kind = getenv("TIDEGATE_FAILURE");
  if (kind == NULL) return;
  is_short = strcmp(kind, "SHORT") == 0;
  failure = strcmp(kind, "ENOSPC") == 0 ? ENOSPC : strcmp(kind, "EINTR") == 0 ? EINTR : EIO;
}

static void note_calls(const char* what) {
  const char* const path = getenv("TIDEGATE_CALLS");
  if (path == NULL) return;
  FILE* const file = fopen(path, "a");
  if (file == NULL) return;
  fprintf(file, "%s %ld\n", what, calls);
  fclose(file);
}

__attribute__((destructor)) static void end(void) {
  note_calls("calls");
  if (recording != NULL) fclose(recording);
}

static void record(char kind, int file, bool synced, uint64_t offset, const void* bytes, size_t size) {
  if (recording == NULL) return;
  const uint8_t head[3] = {(uint8_t)kind, (uint8_t)file, synced};
  const uint32_t length = (uint32_t)size;
  fwrite(head, 1, sizeof head, recording);
  fwrite(&offset, 1, sizeof offset, recording);
  fwrite(&length, 1, sizeof length, recording);
  fwrite(bytes, 1, size, recording);
}

void fault_mark(const char* text, size_t size) { record('m', 0, false, 0, text, size); }

static bool ends_with(const char* path, size_t length, const char* name) {
  const size_t tail = strlen(name);
  return length >= tail && memcmp(path + length - tail, name, tail) == 0;
}

// Returns which file the descriptor is: 0 data.mdb, 1 journal.ring, below 0 another one. Asks the kernel each time,
// because the library does not see descriptors being opened and closed.
static int file_of(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path);
  if (length < 0) return -1;
  if (ends_with(path, (size_t)length, "/data.mdb")) return 0;
  return ends_with(path, (size_t)length, "/journal.ring") ? 1 : -1;
}

static bool is_store(int fd) { return file_of(fd) >= 0; }

static bool is_synced(int fd) { return (fcntl(fd, F_GETFL) & (O_DSYNC | O_SYNC)) != 0; }

// Counts the call, and returns whether it is the one that fails: the N-th or, if a short write is wanted and the N-th
// call cannot be one, the next that can.
static bool is_failing(bool can_be_short) {
  ++calls;
  if (failing_call == 0 || has_failed || calls < failing_call || (is_short && !can_be_short)) return false;
  has_failed = true;
  note_calls("failed");
  return true;
}

static ssize_t write_at(int fd, const void* bytes, size_t size, off_t at) {
  BEHIND(ssize_t, "pwrite", int, const void*, size_t, off_t);
  return behind(fd, bytes, size, at);
}

static ssize_t store_at(int fd, const char* bytes, size_t size, off_t at) {
  if (is_failing(size > 1)) {
    if (!is_short) {
      errno = failure;
      return -1;
    }
    size /= 2;
  }
  const ssize_t written = write_at(fd, bytes, size, at);
  if (written > 0) record('w', file_of(fd), is_synced(fd), (uint64_t)at, bytes, (size_t)written);
  return written;
}

static ssize_t store_pieces_at(int fd, const struct iovec* pieces, int count, off_t at) {
  size_t size = 0, filled = 0;
  for (int i = 0; i < count; ++i) size += pieces[i].iov_len;
  char* const bytes = malloc(size == 0 ? 1 : size);
  for (int i = 0; i < count; ++i) {
    memcpy(bytes + filled, pieces[i].iov_base, pieces[i].iov_len);
    filled += pieces[i].iov_len;
  }
  const ssize_t written = store_at(fd, bytes, size, at);
  const int cause = errno;
  free(bytes);
  errno = cause;
  return written;
}

// A write without an offset goes to the descriptor's position and moves the position forward.
static off_t place_of(int fd) { return lseek(fd, 0, SEEK_CUR); }
static ssize_t moved(int fd, ssize_t written) {
  if (written > 0) lseek(fd, written, SEEK_CUR);
  return written;
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  return is_store(fd) ? store_at(fd, bytes, size, at) : write_at(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) { return pwrite(fd, bytes, size, (off_t)at); }

ssize_t write(int fd, const void* bytes, size_t size) {
  BEHIND(ssize_t, "write", int, const void*, size_t);
  return is_store(fd) ? moved(fd, store_at(fd, bytes, size, place_of(fd))) : behind(fd, bytes, size);
}

ssize_t writev(int fd, const struct iovec* pieces, int count) {
  BEHIND(ssize_t, "writev", int, const struct iovec*, int);
  return is_store(fd) ? moved(fd, store_pieces_at(fd, pieces, count, place_of(fd))) : behind(fd, pieces, count);
}

ssize_t pwritev(int fd, const struct iovec* pieces, int count, off_t at) {
  BEHIND(ssize_t, "pwritev", int, const struct iovec*, int, off_t);
  return is_store(fd) ? store_pieces_at(fd, pieces, count, at) : behind(fd, pieces, count, at);
}

ssize_t pwritev64(int fd, const struct iovec* pieces, int count, off64_t at) {
  return pwritev(fd, pieces, count, (off_t)at);
}

// A sync cannot be short.
static int synced(int fd, int (*behind)(int)) {
  if (!is_store(fd)) return behind(fd);
  if (is_failing(false)) {
    errno = failure;
    return -1;
  }
  const int code = behind(fd);
  if (code == 0) record('s', file_of(fd), false, 0, NULL, 0);
  return code;
}

int fdatasync(int fd) {
  BEHIND(int, "fdatasync", int);
  return synced(fd, behind);
}

int fsync(int fd) {
  BEHIND(int, "fsync", int);
  return synced(fd, behind);
}

// The store maps its file for reading only, so a synced map is unexpected. It is recorded all the same.
int msync(void* address, size_t size, int flags) {
  BEHIND(int, "msync", void*, size_t, int);
  const int code = behind(address, size, flags);
  if (code == 0) record('s', 0, false, 0, NULL, 0);
  return code;
}

int ftruncate(int fd, off_t size) {
  BEHIND(int, "ftruncate", int, off_t);
  if (!is_store(fd)) return behind(fd, size);
  if (is_failing(false)) {
    errno = failure;
    return -1;
  }
  const int code = behind(fd, size);
  if (code == 0) record('t', file_of(fd), false, (uint64_t)size, NULL, 0);
  return code;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, (off_t)size); }

// The store exists only from here on: a new store is written under another name and then renamed.
int rename(const char* from, const char* to) {
  BEHIND(int, "rename", const char*, const char*);
  const int code = behind(from, to);
  if (code == 0 && ends_with(to, strlen(to), "/data.mdb")) record('n', 0, true, 0, NULL, 0);
  return code;
}

static void record_size(int fd) {
  struct stat stat;
  if (fstat(fd, &stat) == 0) record('t', file_of(fd), false, (uint64_t)stat.st_size, NULL, 0);
}

int fallocate(int fd, int mode, off_t at, off_t size) {
  BEHIND(int, "fallocate", int, int, off_t, off_t);
  if (!is_store(fd)) return behind(fd, mode, at, size);
  if (is_failing(false)) {
    errno = failure;
    return -1;
  }
  const int code = behind(fd, mode, at, size);
  if (code == 0) record_size(fd);
  return code;
}

int posix_fallocate(int fd, off_t at, off_t size) { return fallocate(fd, 0, at, size) == 0 ? 0 : errno; }
