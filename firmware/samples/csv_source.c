#define _DEFAULT_SOURCE  // timegm

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source.h"

// A larger number of seconds would be after the year 5138, so the number must be milliseconds.
static const double unix_seconds_max = 1e11;
static const double milli_max = 9e15;

// Cuts the next column off `rest` and strips quotes and blanks around it. Returns NULL at the line's end.
static char *next_column(char **rest) {
  char *column = *rest;
  if (column == NULL) return NULL;
  char *end = strchr(column, ',');
  *rest = end == NULL ? NULL : end + 1;
  if (end == NULL) end = column + strlen(column);
  column += strspn(column, " \t\"");
  while (end > column && strchr(" \t\"\r\n", end[-1]) != NULL) end--;
  *end = '\0';
  return column;
}

static bool parse_number(const char *text, double *number) {
  char *end;
  *number = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(*number);
}

static uint64_t parse_calendar(const char *text) {
  struct tm when = {0};
  double seconds = 0;
  char separator;
  const int found = sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%lf", &when.tm_year, &when.tm_mon, &when.tm_mday, &separator,
                           &when.tm_hour, &when.tm_min, &seconds);
  if (found != 3 && found < 6) return 0;
  when.tm_year -= 1900;
  when.tm_mon -= 1;
  const time_t minutes = timegm(&when);
  return minutes < 0 || seconds < 0 || seconds > 61 ? 0 : (uint64_t)minutes * 1000 + (uint64_t)(seconds * 1000 + 0.5);
}

static uint64_t parse_time(const char *text) {
  double number;
  if (!parse_number(text, &number)) return parse_calendar(text);
  if (number < 0 || number > milli_max) return 0;
  return (uint64_t)(number > unix_seconds_max ? number : number * 1000 + 0.5);
}

static bool parse_channel(const char *text, int64_t *milli) {
  double number;
  *milli = 0;
  if (!parse_number(text, &number) || fabs(number * 1000) > milli_max) return false;
  *milli = llround(number * 1000);
  return true;
}

static bool parse_row(char *line, tidegate_sample_Reading *reading) {
  char *rest = line;
  reading->time_ms = parse_time(next_column(&rest));
  for (const char *column = next_column(&rest); column != NULL; column = next_column(&rest)) {
    if (reading->milli_count == READING_CHANNELS_MAX) return false;
    const pb_size_t channel = reading->milli_count++;
    if (!parse_channel(column, &reading->milli[channel])) reading->missing |= UINT64_C(1) << channel;
  }
  return true;
}

static bool is_header(const char *line) {
  char copy[CSV_LINE_MAX];
  char *rest = strcpy(copy, line);
  double number;
  (void)next_column(&rest);
  const char *second = next_column(&rest);
  return second == NULL || (*second != '\0' && !parse_number(second, &number));
}

static bool complain(const csv_source *source, const char *what) {
  fprintf(stderr, "tidegate-sensor: %s: row %u: %s\n", source->path, source->next_row, what);
  return false;
}

// Loads the next line that is not empty. Returns false at the end. Sets `*is_sound` to whether the line could be read.
static bool read_line(csv_source *source, bool *is_sound) {
  *is_sound = true;
  while (fgets(source->line, sizeof source->line, source->file) != NULL) {
    if (strchr(source->line, '\n') == NULL && !feof(source->file)) *is_sound = complain(source, "line over 4095 bytes");
    if (!*is_sound || strspn(source->line, " \t\r\n") != strlen(source->line)) return true;
  }
  if (ferror(source->file)) *is_sound = complain(source, strerror(errno));
  return false;
}

bool csv_open(csv_source *source, const char *path, uint32_t every, uint32_t phase) {
  bool is_sound;
  *source = (csv_source){.file = fopen(path, "r"), .path = path, .every = every, .phase = phase};
  if (source->file == NULL) {
    fprintf(stderr, "tidegate-sensor: %s: %s\n", path, strerror(errno));
    return false;
  }
  if (!read_line(source, &is_sound) || !is_header(source->line)) rewind(source->file);
  if (!is_sound) csv_close(source);
  return is_sound;
}

source_result csv_next(csv_source *source, tidegate_sample_Reading *reading) {
  bool is_sound;
  while (read_line(source, &is_sound)) {
    if (!is_sound) return SOURCE_FAILED;
    const uint32_t row = source->next_row;
    const bool is_mine = row % source->every == source->phase;
    *reading = (tidegate_sample_Reading){.number = row};
    if (is_mine && !parse_row(source->line, reading)) {
      (void)complain(source, "more than 64 columns after the time");
      return SOURCE_FAILED;
    }
    source->next_row++;
    if (is_mine) return SOURCE_READING;
  }
  return is_sound ? SOURCE_END : SOURCE_FAILED;
}

void csv_close(csv_source *source) {
  if (source->file != NULL) (void)fclose(source->file);
  source->file = NULL;
}
