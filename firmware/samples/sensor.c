// tidegate-sensor: publishes readings as a sensor would, and shows how a program uses the device client. --help lists
// the options; options.h parses them, and source.h supplies the readings.
#define _DEFAULT_SOURCE  // sigaction

#include <fcntl.h>
#include <pb_encode.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidegate/posix.h>
#include "options.h"
#include "source.h"

enum { READING_ALIAS = 1, RECEIVE_BYTES = 512, TRANSMIT_BYTES = 4096, STEP_MS = 250, PROGRESS_MS = 1000 };
enum { EXIT_USAGE = 2 };

typedef struct sensor {
  const sensor_options *options;
  tg_posix link;
  tg_device device;
  tg_config config;
  tg_topic topics[1];
  uint8_t receive[RECEIVE_BYTES];
  uint8_t transmit[TRANSMIT_BYTES];

  csv_source csv;
  uint32_t made;  // readings
  bool is_at_end;
  bool is_failed;
  bool has_payload;
  uint8_t payload[TG_PAYLOAD_MAX];  // the next reading, encoded
  size_t payload_size;
  uint32_t due;  // ticks when it is to be published
  uint32_t progress_due;
  uint32_t refusal_told;
} sensor;

// The only global, because a signal handler may use nothing else.
static volatile sig_atomic_t stops_wanted;

static void on_stop(int signal_number) {
  (void)signal_number;
  if (stops_wanted < 2) stops_wanted = stops_wanted + 1;
}

// SIGHUP also stops the program, unless it is ignored, as under nohup. A closed reader of standard output does not stop
// the program.
static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_stop};
  struct sigaction before;
  (void)sigemptyset(&action.sa_mask);
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);
  if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) (void)sigaction(SIGHUP, &action, NULL);
  (void)signal(SIGPIPE, SIG_IGN);
}

// Opens descriptors 0, 1 and 2 if they are closed. Otherwise the link could get one of these numbers, and messages for
// people would be written to the link.
static void occupy_standard_descriptors(void) {
  for (int number = 0; number <= 2; ++number) {
    if (fcntl(number, F_GETFD) < 0) (void)open("/dev/null", number == 0 ? O_WRONLY : O_RDONLY);
  }
}

static void on_rejected(void *context, uint32_t sequence, uint32_t code) {
  (void)context;
  fprintf(stderr, "tidegate-sensor: reading %u rejected with code %u\n", sequence, code);
}

static uint32_t ticks(const sensor *s) { return s->config.hooks.ticks(s->config.hooks.context); }

// ------------------------------------------------------------------------------------------------------- readings

static bool fail(sensor *s, const char *what) {
  fprintf(stderr, "tidegate-sensor: reading %u: %s\n", s->made, what);
  s->is_failed = s->is_at_end = true;
  return false;
}

static bool take_reading(sensor *s, tidegate_sample_Reading *reading) {
  if (s->options->csv == NULL) {
    vital_signs(s->made, reading);
    return true;
  }
  const source_result result = csv_next(&s->csv, reading);
  s->is_failed = result == SOURCE_FAILED;
  s->is_at_end = result != SOURCE_READING;
  return result == SOURCE_READING;
}

static bool prepare_payload(sensor *s) {
  tidegate_sample_Reading reading;
  if (s->has_payload) return true;
  if (!take_reading(s, &reading)) return false;
  pb_ostream_t out = pb_ostream_from_buffer(s->payload, sizeof s->payload);
  if (!pb_encode(&out, tidegate_sample_Reading_fields, &reading)) return fail(s, "does not fit in 256 bytes");
  s->payload_size = out.bytes_written;
  return s->has_payload = true;
}

// Keeps the interval, but does not catch up on readings that were due while a file had to wait.
static void plan_next(sensor *s, uint32_t now) {
  s->due += s->options->interval_ms;
  if ((int32_t)(now - s->due) > 0) s->due = now;
}

static bool is_due(const sensor *s, uint32_t now) { return (int32_t)(now - s->due) >= 0; }

// A row of a file can wait for room in the ring; a live reading cannot.
static void publish_if_due(sensor *s) {
  const uint32_t now = ticks(s);
  if (s->is_at_end || !is_due(s, now) || !prepare_payload(s)) return;
  if (s->options->csv != NULL && !tg_device_fits(&s->device, s->payload_size)) return;
  if (tg_device_publish(&s->device, READING_ALIAS, s->payload, s->payload_size, NULL) != TG_OK) {
    (void)fail(s, "cannot be published");
    return;
  }
  s->has_payload = false;
  s->made++;
  plan_next(s, now);
  if (s->options->count > 0 && s->made == s->options->count) s->is_at_end = true;
}

// -------------------------------------------------------------------------------------------------------- telling

typedef struct figures {
  unsigned published, acknowledged, rejected, lost, held, reconnects;
} figures;

static figures figures_of(const sensor *s) {
  const tg_stats stats = tg_device_stats(&s->device);
  return (figures){.published = stats.published,
                   .acknowledged = stats.settled > stats.rejected ? stats.settled - stats.rejected : 0,
                   .rejected = stats.rejected,
                   .lost = stats.lost,
                   .held = stats.held,
                   .reconnects = stats.sessions > 1 ? stats.sessions - 1 : 0};
}

static void tell_refusal(sensor *s) {
  const uint32_t refusal = tg_device_stats(&s->device).refusal;
  if (refusal != s->refusal_told && refusal != 0) {
    fprintf(stderr, "tidegate-sensor: the gateway refused this device with code %u; trying again\n", refusal);
  }
  s->refusal_told = refusal;
}

static void tell_progress(sensor *s) {
  const uint32_t now = ticks(s);
  if (!s->options->progress || (int32_t)(now - s->progress_due) < 0) return;
  s->progress_due = now + PROGRESS_MS;
  const figures f = figures_of(s);
  fprintf(stderr, "%s: %s, published %u, acknowledged %u, rejected %u, lost %u, held %u\n", s->options->device_id,
          tg_device_link(&s->device) == TG_LINK_READY ? "connected" : "not connected", f.published, f.acknowledged,
          f.rejected, f.lost, f.held);
}

static void tell_summary(const sensor *s) {
  const figures f = figures_of(s);
  if (!s->options->json) return;
  printf("{\"device\":\"%s\",\"published\":%u,\"acknowledged\":%u,\"rejected\":%u,\"lost\":%u,\"reconnects\":%u}\n",
         s->options->device_id, f.published, f.acknowledged, f.rejected, f.lost, f.reconnects);
  (void)fflush(stdout);
}

// -------------------------------------------------------------------------------------------------------- running

static uint32_t wait_ms(const sensor *s) {
  const int32_t until_due = (int32_t)(s->due - ticks(s));
  if (s->is_at_end || s->has_payload) return STEP_MS;
  return until_due <= 0 ? 0 : until_due < STEP_MS ? (uint32_t)until_due : STEP_MS;
}

static void step(sensor *s, uint32_t wait) {
  tg_posix_step(&s->link, &s->device, wait);
  tell_refusal(s);
  tell_progress(s);
}

static void publish_all(sensor *s) {
  s->due = s->progress_due = ticks(s);
  while (!s->is_at_end && stops_wanted == 0) {
    publish_if_due(s);
    step(s, wait_ms(s));
  }
}

static void drain(sensor *s) {
  const uint32_t since = ticks(s);
  const uint32_t linger_ms = s->options->linger_seconds * 1000;
  while (tg_device_stats(&s->device).held > 0 && stops_wanted < 2 && ticks(s) - since < linger_ms) step(s, STEP_MS);
}

static bool prepare_device(sensor *s, void *ring) {
  const sensor_options *o = s->options;
  s->config = (tg_config){.device_id = o->device_id,
                          .token = o->token,
                          .token_size = o->token == NULL ? 0 : strlen(o->token),
                          .hooks = tg_posix_hooks(&s->link),
                          .ring = ring,
                          .ring_size = o->ring_bytes,
                          .receive = s->receive,
                          .receive_size = sizeof s->receive,
                          .transmit = s->transmit,
                          .transmit_size = sizeof s->transmit,
                          .topics = s->topics,
                          .topics_max = 1,
                          .retry_min_ms = TG_RETRY_MIN_MS,
                          .retry_max_ms = o->retry_max_ms,
                          .answer_ms = TG_ANSWER_MS};
  s->config.hooks.rejected = on_rejected;
  return tg_device_init(&s->device, &s->config) == TG_OK &&
         tg_device_topic(&s->device, READING_ALIAS, o->topic) == TG_OK;
}

static bool open_source(sensor *s) {
  const sensor_options *o = s->options;
  return o->csv == NULL || csv_open(&s->csv, o->csv, o->every, o->phase);
}

static bool open_link(sensor *s) {
  const int error = tg_posix_init(&s->link, s->options->host, s->options->port);
  if (error != 0) fprintf(stderr, "tidegate-sensor: %s: %s\n", s->options->host, gai_strerror(error));
  return error == 0;
}

static bool run(sensor *s) {
  void *ring = malloc(s->options->ring_bytes);
  const bool is_ready = ring != NULL && prepare_device(s, ring);
  if (is_ready) {
    tg_device_connect(&s->device);
    publish_all(s);
    drain(s);
    tell_summary(s);
  } else {
    fputs("tidegate-sensor: cannot set up the device\n", stderr);
  }
  const figures f = figures_of(s);
  free(ring);
  return is_ready && !s->is_failed && f.published == f.acknowledged && f.lost == 0 && f.rejected == 0;
}

int main(int argc, char **argv) {
  sensor_options options;
  sensor s = {.options = &options};
  const options_result result = read_options(argc, argv, &options);
  if (result != OPTIONS_READY) return result == OPTIONS_HELP ? EXIT_SUCCESS : EXIT_USAGE;
  occupy_standard_descriptors();
  catch_signals();
  const bool is_good = open_source(&s) && open_link(&s) && run(&s);
  tg_posix_close(&s.link);
  csv_close(&s.csv);
  return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
