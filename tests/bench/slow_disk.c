// A library to preload (LD_PRELOAD) that emulates a slow card for one process. Writes and flushes of the files under
// one directory are delayed, in addition to the time they take here, as by a device with the given bandwidth, writes a
// second and duration of a flush.
//
//   SLOW_DISK_DIRECTORY=/path SLOW_DISK_BYTES_PER_SECOND=12000000 SLOW_DISK_WRITES_PER_SECOND=800 SLOW_DISK_FLUSH_MS=4
//     LD_PRELOAD=build/release/tests/bench/libslow_disk.so PROGRAM
//
// A plain write is only counted, because it goes to the page cache; the next flush of that file is delayed for it. A
// write to a file opened with O_DSYNC or O_SYNC is delayed at once. A write of more than 512 KiB counts as several.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { files_max = 4096, block_bytes = 4096, write_bytes_max = 512 * 1024 };

struct due {
  _Atomic long long bytes;
  _Atomic long long writes;
};

static struct due due_of[files_max];
static atomic_bool throttled = true;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char* directory;
static double bytes_per_second, writes_per_second, flush_seconds;

static double setting(const char* name, double otherwise) {
  const char* const text = getenv(name);
  return text != NULL ? atof(text) : otherwise;
}

static void configure(void) {
  directory = getenv("SLOW_DISK_DIRECTORY");
  bytes_per_second = setting("SLOW_DISK_BYTES_PER_SECOND", 12e6);
  writes_per_second = setting("SLOW_DISK_WRITES_PER_SECOND", 800);
  flush_seconds = setting("SLOW_DISK_FLUSH_MS", 4) / 1000;
}

// Turns the delays on or off. A program finds this function by dlsym and turns them off while it prepares.
void slow_disk_throttle(int on) { atomic_store(&throttled, on != 0); }

static int is_slow(int file) {
  pthread_once(&once, configure);
  if (directory == NULL || file < 0 || file >= files_max || !atomic_load(&throttled)) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
  const ssize_t size = readlink(link, path, sizeof(path) - 1);
  if (size <= 0) return 0;
  path[size] = '\0';
  return strncmp(path, directory, strlen(directory)) == 0;
}

static void wait_for(double seconds) {
  struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  while (nanosleep(&left, &left) != 0) continue;
}

// Waits as long as the slow card would need. The times by bandwidth and by writes a second do not add up: the longer
// one counts.
static void pay(long long bytes, long long writes) {
  const double transfer = (double)bytes / bytes_per_second;
  const double handling = (double)writes / writes_per_second;
  wait_for((transfer > handling ? transfer : handling) + flush_seconds);
}

static void flushed(int file) {
  if (is_slow(file)) pay(atomic_exchange(&due_of[file].bytes, 0), atomic_exchange(&due_of[file].writes, 0));
}

static ssize_t written(int file, ssize_t size) {
  if (size <= 0 || !is_slow(file)) return size;
  const long long bytes = (size + block_bytes - 1) / block_bytes * block_bytes;
  const long long writes = (size + write_bytes_max - 1) / write_bytes_max;
  if ((fcntl(file, F_GETFL) & (O_DSYNC | O_SYNC)) != 0) {
    pay(bytes, writes);
  } else {
    atomic_fetch_add(&due_of[file].bytes, bytes);
    atomic_fetch_add(&due_of[file].writes, writes);
  }
  return size;
}

// Sets `next` to the C library's own function of that name. Copies the pointer, because ISO C has no cast from an
// object pointer to a function pointer.
#define NEXT(type, name, ...)                   \
  static type (*next)(__VA_ARGS__);             \
  if (next == NULL) {                           \
    void* const found = dlsym(RTLD_NEXT, name); \
    memcpy(&next, &found, sizeof(next));        \
  }

ssize_t write(int file, const void* data, size_t size) {
  NEXT(ssize_t, "write", int, const void*, size_t)
  return written(file, next(file, data, size));
}

ssize_t writev(int file, const struct iovec* parts, int count) {
  NEXT(ssize_t, "writev", int, const struct iovec*, int)
  return written(file, next(file, parts, count));
}

ssize_t pwrite(int file, const void* data, size_t size, off_t at) {
  NEXT(ssize_t, "pwrite", int, const void*, size_t, off_t)
  return written(file, next(file, data, size, at));
}

ssize_t pwrite64(int file, const void* data, size_t size, off64_t at) {
  NEXT(ssize_t, "pwrite64", int, const void*, size_t, off64_t)
  return written(file, next(file, data, size, at));
}

ssize_t pwritev(int file, const struct iovec* parts, int count, off_t at) {
  NEXT(ssize_t, "pwritev", int, const struct iovec*, int, off_t)
  return written(file, next(file, parts, count, at));
}

ssize_t pwritev64(int file, const struct iovec* parts, int count, off64_t at) {
  NEXT(ssize_t, "pwritev64", int, const struct iovec*, int, off64_t)
  return written(file, next(file, parts, count, at));
}

int fdatasync(int file) {
  NEXT(int, "fdatasync", int)
  const int result = next(file);
  flushed(file);
  return result;
}

int fsync(int file) {
  NEXT(int, "fsync", int)
  const int result = next(file);
  flushed(file);
  return result;
}
