// The command line of tidegate-sensor.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <tidegate/device.h>

typedef struct sensor_options {
  char host[256];
  char port[6];
  char device_id[TG_DEVICE_ID_MAX + 1];
  char topic[TG_ROUTING_KEY_MAX + 1];
  const char *token;  // NULL = none
  const char *csv;    // NULL = this machine's vital signs
  uint32_t interval_ms;
  uint32_t count;  // 0 = unlimited
  uint32_t every;
  uint32_t phase;
  uint32_t ring_bytes;
  uint32_t retry_max_ms;
  uint32_t linger_seconds;
  bool json;
  bool progress;
} sensor_options;

typedef enum options_result { OPTIONS_READY, OPTIONS_HELP, OPTIONS_BAD } options_result;

// Fills *options, whose pointers point into argv. Writes the help text to stdout and errors to stderr.
options_result read_options(int argc, char **argv, sensor_options *options);
