// The sources of a sample sensor's readings: rows of a CSV file, or this machine's vital signs.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "reading.pb.h"

enum { READING_CHANNELS_MAX = 64, CSV_LINE_MAX = 4096 };

typedef struct csv_source {
  FILE *file;
  const char *path;
  uint32_t next_row;
  uint32_t every;  // rows with row % every == phase belong to this sensor
  uint32_t phase;
  char line[CSV_LINE_MAX];
} csv_source;

typedef enum source_result { SOURCE_READING, SOURCE_END, SOURCE_FAILED } source_result;

// Opens the file. The first line is a header and not a row if its second column is not a number. Returns false after a
// message on stderr.
bool csv_open(csv_source *source, const char *path, uint32_t every, uint32_t phase);

// Reads the file up to the sensor's next row; at most one line is in memory. The first column is the time: Unix
// seconds, Unix milliseconds (above 1e11), or `2024-05-01 12:30[:15[.250]]` in UTC, also with T and Z. Every other
// column is a channel; an empty column or a word is a missing value. Returns SOURCE_FAILED after a message on stderr.
source_result csv_next(csv_source *source, tidegate_sample_Reading *reading);
void csv_close(csv_source *source);

// Reads the machine's current vital signs: load of 1, 5 and 15 minutes, MiB of memory available, degrees C of the
// processor, seconds of uptime, KiB received and sent by all interfaces except lo, KiB read from and written to all
// whole disks.
void vital_signs(uint32_t number, tidegate_sample_Reading *reading);
