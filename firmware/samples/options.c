#define _DEFAULT_SOURCE  // getopt_long, gethostname

#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RING_BYTES_MIN = 512, RING_BYTES_MAX = 1 << 30, MILLISECONDS_MAX = 86400000 };

static const char id_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static const char help_text[] =
    "Usage: tidegate-sensor [OPTION]...\n"
    "Publish readings to a Tidegate gateway as a sensor would: rows of a CSV file, or\n"
    "the vital signs of this machine. Every reading is kept in a ring in memory until\n"
    "the gateway has it on flash, and is sent again after a lost link.\n"
    "\n"
    "The gateway\n"
    "  --broker HOST:PORT    where to connect (127.0.0.1:7420; [::1]:7420 for IPv6)\n"
    "  --device ID           name of this sensor: 1-16 letters, digits, '.', '_', '-'\n"
    "                        (the host's name)\n"
    "  --topic ROUTINGKEY    routing key of the readings (sensors.ID)\n"
    "  --token T             credential for the gateway\n"
    "\n"
    "The readings\n"
    "  --csv FILE            rows of FILE: first column time, then up to 64 numbers\n"
    "  --every K             with --csv: only every K-th row (1) ...\n"
    "  --phase P             ... those with row % K == P, rows counted from 0 (0)\n"
    "  --interval-ms N       time between readings (1000); 0 = as fast as possible\n"
    "  --count N             stop after N readings; 0 = at the end of FILE or at\n"
    "                        SIGINT, SIGTERM or SIGHUP (0)\n"
    "\n"
    "Behaviour\n"
    "  --ring-bytes N        memory for unacknowledged readings (65536). When it is\n"
    "                        full a file waits; live readings overwrite the oldest,\n"
    "                        which count as lost\n"
    "  --retry-max-ms N      longest pause between attempts to connect (60000)\n"
    "  --linger-seconds N    at the end, wait so long for acknowledgements (10)\n"
    "  --progress            one line a second on stderr\n"
    "  --json                at the end, one line with the figures on stdout\n"
    "  --help                this text\n"
    "\n"
    "Readings are protobuf messages, see reading.proto. Channels of the vital signs, in\n"
    "order: load of 1, 5, 15 minutes; MiB of memory available; degrees C; uptime in\n"
    "seconds; KiB received, sent; KiB read from disks, written.\n"
    "\n"
    "Exit status: 0 if every reading published was acknowledged, none lost or rejected;\n"
    "1 if not, or on failure; 2 for a wrong command line.\n";

static bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool complain(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("tidegate-sensor: ", stderr);
  vfprintf(stderr, format, arguments);
  fputs("; see --help\n", stderr);
  va_end(arguments);
  return false;
}

static bool read_number(const char *name, const char *text, uint32_t least, uint32_t most, uint32_t *number) {
  char *end;
  errno = 0;
  const unsigned long long value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least || value > most) {
    return complain("--%s %s: must be a number from %u to %u", name, text, least, most);
  }
  *number = (uint32_t)value;
  return true;
}

static bool read_text(const char *name, const char *text, char *out, size_t out_size) {
  const size_t size = strlen(text);
  if (size == 0 || size >= out_size) return complain("--%s %s: must have 1 to %zu bytes", name, text, out_size - 1);
  memcpy(out, text, size + 1);
  return true;
}

static bool read_broker(const char *text, sensor_options *options) {
  uint32_t port;
  const char *colon = strrchr(text, ':');
  if (colon == NULL || colon == text) return complain("--broker %s: must be HOST:PORT", text);
  const bool is_bracketed = *text == '[' && colon[-1] == ']';
  const char *host = is_bracketed ? text + 1 : text;
  const size_t size = (size_t)(colon - host) - (is_bracketed ? 1 : 0);
  if (size == 0 || size >= sizeof options->host || strlen(colon + 1) >= sizeof options->port) {
    return complain("--broker %s: must be HOST:PORT", text);
  }
  if (!read_number("broker", colon + 1, 1, UINT16_MAX, &port)) return false;
  memcpy(options->host, host, size);
  options->host[size] = '\0';
  return read_text("broker", colon + 1, options->port, sizeof options->port);
}

static bool read_device(const char *text, sensor_options *options) {
  if (strspn(text, id_characters) != strlen(text)) {
    return complain("--device %s: only letters, digits, '.', '_' and '-'", text);
  }
  return read_text("device", text, options->device_id, sizeof options->device_id);
}

static bool read_token(const char *text, sensor_options *options) {
  if (*text == '\0' || strlen(text) > TG_TOKEN_MAX) return complain("--token: must have 1 to %d bytes", TG_TOKEN_MAX);
  options->token = text;
  return true;
}

static const struct option known_options[] = {{"broker", required_argument, NULL, 'b'},
                                              {"device", required_argument, NULL, 'd'},
                                              {"topic", required_argument, NULL, 't'},
                                              {"token", required_argument, NULL, 'k'},
                                              {"csv", required_argument, NULL, 'f'},
                                              {"every", required_argument, NULL, 'e'},
                                              {"phase", required_argument, NULL, 'p'},
                                              {"interval-ms", required_argument, NULL, 'i'},
                                              {"count", required_argument, NULL, 'c'},
                                              {"ring-bytes", required_argument, NULL, 'r'},
                                              {"retry-max-ms", required_argument, NULL, 'm'},
                                              {"linger-seconds", required_argument, NULL, 'l'},
                                              {"json", no_argument, NULL, 'j'},
                                              {"progress", no_argument, NULL, 'g'},
                                              {"help", no_argument, NULL, 'h'},
                                              {NULL, 0, NULL, 0}};

static bool set_flag(bool *flag) { return *flag = true; }

static bool set_option(int letter, const char *value, sensor_options *o) {
  switch (letter) {
    case 'b': return read_broker(value, o);
    case 'd': return read_device(value, o);
    case 't': return read_text("topic", value, o->topic, sizeof o->topic);
    case 'k': return read_token(value, o);
    case 'f': return (o->csv = value) != NULL;
    case 'e': return read_number("every", value, 1, UINT32_MAX, &o->every);
    case 'p': return read_number("phase", value, 0, UINT32_MAX - 1, &o->phase);
    case 'i': return read_number("interval-ms", value, 0, MILLISECONDS_MAX, &o->interval_ms);
    case 'c': return read_number("count", value, 0, UINT32_MAX, &o->count);
    case 'r': return read_number("ring-bytes", value, RING_BYTES_MIN, RING_BYTES_MAX, &o->ring_bytes);
    case 'm': return read_number("retry-max-ms", value, TG_RETRY_MIN_MS, MILLISECONDS_MAX, &o->retry_max_ms);
    case 'l': return read_number("linger-seconds", value, 0, MILLISECONDS_MAX / 1000, &o->linger_seconds);
    case 'j': return set_flag(&o->json);
    case 'g': return set_flag(&o->progress);
    default: return false;
  }
}

static void set_defaults(sensor_options *options) {
  *options = (sensor_options){.host = "127.0.0.1",
                              .port = "7420",
                              .interval_ms = 1000,
                              .every = 1,
                              .ring_bytes = 65536,
                              .retry_max_ms = TG_RETRY_MAX_MS,
                              .linger_seconds = 10};
}

// Checks options against each other, and fills in the device's name and then the topic, whose default contains that
// name.
static bool complete(sensor_options *options) {
  if (options->phase >= options->every) return complain("--phase %u: must be below --every", options->phase);
  if (options->every > 1 && options->csv == NULL) return complain("--every: only with --csv");
  if (options->device_id[0] == '\0') {
    (void)gethostname(options->device_id, sizeof options->device_id - 1);
    options->device_id[strspn(options->device_id, id_characters)] = '\0';
  }
  if (options->device_id[0] == '\0') return complain("--device: needed, as this host has no fitting name");
  if (options->topic[0] == '\0')
    (void)snprintf(options->topic, sizeof options->topic, "sensors.%s", options->device_id);
  return true;
}

options_result read_options(int argc, char **argv, sensor_options *options) {
  int letter;
  set_defaults(options);
  while ((letter = getopt_long(argc, argv, "", known_options, NULL)) != -1) {
    if (letter == 'h') {
      fputs(help_text, stdout);
      return OPTIONS_HELP;
    }
    if (!set_option(letter, optarg, options)) return OPTIONS_BAD;
  }
  if (optind < argc) (void)complain("%s: no such argument", argv[optind]);
  return optind == argc && complete(options) ? OPTIONS_READY : OPTIONS_BAD;
}
