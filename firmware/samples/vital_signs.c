#define _DEFAULT_SOURCE

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "source.h"

static void add(tidegate_sample_Reading *reading, bool is_known, double value) {
  const pb_size_t channel = reading->milli_count++;
  reading->milli[channel] = is_known ? (int64_t)(value * 1000) : 0;
  if (!is_known) reading->missing |= UINT64_C(1) << channel;
}

static void add_load(tidegate_sample_Reading *reading) {
  double load[3] = {0, 0, 0};
  FILE *file = fopen("/proc/loadavg", "r");
  const bool is_known = file != NULL && fscanf(file, "%lf %lf %lf", &load[0], &load[1], &load[2]) == 3;
  if (file != NULL) (void)fclose(file);
  for (int i = 0; i < 3; i++) add(reading, is_known, load[i]);
}

static void add_memory(tidegate_sample_Reading *reading) {
  char line[128];
  unsigned long kibibytes = 0;
  bool is_known = false;
  FILE *file = fopen("/proc/meminfo", "r");
  while (file != NULL && !is_known && fgets(line, sizeof line, file) != NULL) {
    is_known = sscanf(line, "MemAvailable: %lu kB", &kibibytes) == 1;
  }
  if (file != NULL) (void)fclose(file);
  add(reading, is_known, (double)kibibytes / 1024);
}

static void add_first_number(tidegate_sample_Reading *reading, const char *path, double unit) {
  double number = 0;
  FILE *file = fopen(path, "r");
  const bool is_known = file != NULL && fscanf(file, "%lf", &number) == 1;
  if (file != NULL) (void)fclose(file);
  add(reading, is_known, number * unit);
}

static void add_network(tidegate_sample_Reading *reading) {
  char line[256], name[32];
  double received = 0, sent = 0;
  FILE *file = fopen("/proc/net/dev", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    double in, out;
    if (sscanf(line, " %31[^:]: %lf %*u %*u %*u %*u %*u %*u %*u %lf", name, &in, &out) != 3) continue;
    if (strcmp(name, "lo") == 0) continue;
    received += in;
    sent += out;
  }
  add(reading, file != NULL, received / 1024);
  add(reading, file != NULL, sent / 1024);
  if (file != NULL) (void)fclose(file);
}

// Only whole disks are counted, so that no sector counts twice. Partitions and loop devices have no `device` in
// /sys/block.
static bool is_whole_disk(const char *name) {
  char path[64];
  (void)snprintf(path, sizeof path, "/sys/block/%s/device", name);
  return access(path, F_OK) == 0;
}

static void add_disks(tidegate_sample_Reading *reading) {
  char line[256], name[32];
  double sectors_read = 0, sectors_written = 0;
  FILE *file = fopen("/proc/diskstats", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    double in, out;
    if (sscanf(line, " %*u %*u %31s %*u %*u %lf %*u %*u %*u %lf", name, &in, &out) != 3 || !is_whole_disk(name)) {
      continue;
    }
    sectors_read += in;
    sectors_written += out;
  }
  add(reading, file != NULL, sectors_read / 2);
  add(reading, file != NULL, sectors_written / 2);
  if (file != NULL) (void)fclose(file);
}

void vital_signs(uint32_t number, tidegate_sample_Reading *reading) {
  struct timespec now;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  *reading = (tidegate_sample_Reading){.number = number,
                                       .time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000};
  add_load(reading);
  add_memory(reading);
  add_first_number(reading, "/sys/class/thermal/thermal_zone0/temp", 0.001);
  add_first_number(reading, "/proc/uptime", 1);
  add_network(reading);
  add_disks(reading);
}
