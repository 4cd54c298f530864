// A sensor's end of the Tidegate link: publishes small payloads under a few topics, keeps every message in a ring until
// the gateway has it on flash, and sends again what a lost link left open. docs/wire.md describes the frames.
//
// The caller owns all memory, nothing is allocated, nothing blocks, there are no globals. A device belongs to one
// thread (or the main loop); no function may be called from an interrupt. The link is a reliable byte stream that the
// port opens and closes as the device wishes:
//
//   for (;;) {
//     uint32_t sleep_ms = tg_device_poll(&device);
//     if (tg_device_wants_link(&device)) { begin to open the link, if it is not open or opening }
//     else { close the link, if it is open or opening }
//     wait for bytes, for an opened link, for room to send if tg_device_wants_output(), or for sleep_ms
//     opened:  tg_device_connected(&device)        bytes:  tg_device_input(&device, bytes, size)
//     failed or ended:  tg_device_closed(&device)
//   }
//
// The wish is a level, not an event: it turns false when a frame was malformed, an answer is late, the gateway refused
// the device or a back-off runs, and it turns true when the next attempt is due.
//
// Ticks are free-running milliseconds that may wrap at 2^32. A record older than 2^32 ms gets a wrong time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tidegate/ring.h>

#if defined(__GNUC__)
#define TG_MUST_USE __attribute__((warn_unused_result))
#else
#define TG_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tg_result {
  TG_OK,
  TG_ERROR_ARGUMENT,   // outside of the stated range
  TG_ERROR_ALIAS,      // no such topic, or it has another routing key
  TG_ERROR_TOO_LARGE,  // payload above TG_PAYLOAD_MAX, or larger than the whole ring
  TG_ERROR_LIMIT,      // more topics than there is room for, or the epoch's 2^32 - 2 sequences are used up
  TG_ERROR_STATE,      // not now: no link is wanted or open
  TG_ERROR_PROTOCOL,   // the gateway sent what no gateway may send; the link must close
  TG_ERROR_REFUSED     // the gateway refused the device; tg_stats.refusal tells why; the link must close
} tg_result;

enum {
  TG_DEVICE_ID_MAX = 16,
  TG_TOKEN_MAX = 128,
  TG_PAYLOAD_MAX = 256,
  TG_ROUTING_KEY_MAX = 255,
  TG_RECEIVE_MIN = 64,    // Welcome with every member at its longest is 37 bytes + 10 of header
  TG_TRANSMIT_MIN = 320,  // a Batch of one longest payload is 305 bytes, a longest Topic 271, a longest Hello 208
  TG_FLIGHTS_MAX = 8      // frames counted one by one while unacknowledged: a gateway acknowledges at least each 8th
};

// Values that suit a gateway on the local network.
enum { TG_RETRY_MIN_MS = 1000, TG_RETRY_MAX_MS = 60000, TG_ANSWER_MS = 10000 };

#define TG_FOREVER UINT32_MAX

// What the device needs of its port. None may call back into the device, but `rejected` may publish.
typedef struct tg_hooks {
  void *context;
  // Takes as many bytes as the link has room for, now, and returns how many; 0 when none. A broken link is told by
  // tg_device_closed.
  size_t (*send)(void *context, const uint8_t *data, size_t size);
  uint32_t (*ticks)(void *context);
  // 32 random bits, different after each start: they make the epoch and spread reconnects.
  uint32_t (*random)(void *context);
  // A message will never be stored; `code` is a Code of link.proto. May be NULL.
  void (*rejected)(void *context, uint32_t sequence, uint32_t code);
} tg_hooks;

// A routing key and the number that stands for it in frames.
typedef struct tg_topic {
  uint8_t alias;
  uint8_t size;
  const char *routing_key;
} tg_topic;

// Must live as long as the device, with all it points to; may be const in flash.
typedef struct tg_config {
  const char *device_id;  // 1-16 bytes, unique among the gateway's devices, zero-terminated
  const void *token;      // credential, up to TG_TOKEN_MAX bytes; may be NULL
  size_t token_size;
  tg_hooks hooks;

  void *ring;  // at least one record: TG_RECORD_HEADER + the largest payload
  size_t ring_size;
  void *receive;  // at least TG_RECEIVE_MIN
  size_t receive_size;
  void *transmit;  // at least TG_TRANSMIT_MIN; larger ones make larger batches
  size_t transmit_size;
  tg_topic *topics;
  size_t topics_max;

  uint32_t retry_min_ms;   // first back-off; doubles with each failure, half of it random
  uint32_t retry_max_ms;   // longest back-off
  uint32_t answer_ms;      // longest wait for an opened link and then for its Welcome
  uint32_t sleep_seconds;  // longest silence planned; 0 = the gateway's heartbeat, 30 s
} tg_config;

// published = settled + lost + held, at any time.
typedef struct tg_stats {
  uint32_t published;
  uint32_t settled;   // released by an Ack: on flash at the gateway, or rejected
  uint32_t rejected;  // Reject frames; a message sent again after a lost link may be rejected and counted again
  uint32_t lost;      // overwritten before an Ack: an upper bound, since the Ack may just have been late
  uint32_t held;      // in the ring
  uint32_t sessions;  // Welcomes with status OK
  uint32_t failures;  // links that failed, ended or were given up
  uint32_t errors;    // links given up for a malformed, oversized or impossible frame
  uint32_t refusal;   // status of the last Welcome, a Code of link.proto; 0 = OK or none yet
} tg_stats;

// Bytes sent, not acknowledged, by the sequence that releases them.
typedef struct tg_flight {
  uint32_t last_sequence;
  uint32_t size;
} tg_flight;

typedef enum tg_link {
  TG_LINK_IDLE,      // not connecting by the caller's wish
  TG_LINK_WAITING,   // backing off
  TG_LINK_OPENING,   // the port opens the link
  TG_LINK_GREETING,  // open; Hello goes out, Welcome is awaited
  TG_LINK_READY      // in session
} tg_link;

// Private, but for its size: the caller provides it.
typedef struct tg_device {
  const tg_config *config;
  tg_ring ring;
  uint32_t epoch;
  size_t topic_count;

  tg_link link;
  uint32_t link_since;  // ticks at the last change of `link`
  uint32_t backoff_ms;
  uint32_t attempts;  // failed since the last Welcome

  // Receiving
  size_t received;  // bytes in config->receive
  size_t skip;      // bytes still to come of a frame that nobody here knows
  uint32_t last_input;

  // Sending
  size_t output_size;  // bytes in config->transmit
  size_t output_sent;  // of them, bytes the link took
  uint32_t last_output;
  bool hello_due;
  bool pong_due;
  bool probed;  // a Ping went out since the last input
  uint32_t pong_ticks;
  size_t topics_sent;

  // Session
  tg_ring_cursor unsent;
  uint32_t hello_oldest;    // as told in Hello
  uint32_t going_sequence;  // that the gateway counts the next Publish as
  uint32_t window;
  uint32_t gateway_frame_max;
  tg_flight flights[TG_FLIGHTS_MAX];
  size_t flight_count;

  uint64_t unix_ms;  // wall clock at unix_ticks; 0 = not known
  uint32_t unix_ticks;

  uint32_t settled, rejected, sessions, failures, errors, refusal;
} tg_device;

// Starts idle, with an empty ring, a new random epoch and boot 1: a ring in RAM is a new store after each start.
TG_MUST_USE tg_result tg_device_init(tg_device *device, const tg_config *config);

// Names a topic, before or after connecting. `alias` is 1-255; `routing_key` is zero-terminated and must live as long
// as the device. Naming it again in the same way is fine.
TG_MUST_USE tg_result tg_device_topic(tg_device *device, uint32_t alias, const char *routing_key);

// From now on the device wants a link. Without effect if it already does.
void tg_device_connect(tg_device *device);

// Wants no link any more; what is in the ring stays. The port closes the link without a farewell.
void tg_device_close(tg_device *device);

// Appends one message to the ring, the payload copied once; the next poll sends it. When the ring is full the oldest
// messages are overwritten and counted as lost; tg_device_fits tells before. *sequence may be NULL.
TG_MUST_USE tg_result tg_device_publish(tg_device *device, uint32_t alias, const void *payload, size_t size,
                                        uint32_t *sequence);
bool tg_device_fits(const tg_device *device, size_t size);

// Does a bounded piece of work (at most one frame is made) and returns for how many ms the device may sleep if nothing
// happens on the link; 0 when there is more to do, TG_FOREVER when idle. Hand over input before polling.
TG_MUST_USE uint32_t tg_device_poll(tg_device *device);

// What the device wants of the port, as of the last call of any function.
bool tg_device_wants_link(const tg_device *device);
bool tg_device_wants_output(const tg_device *device);  // poll as soon as the link has room

// What happens to the link. Input is any piece of the stream; after an error the device no longer wants the link.
TG_MUST_USE tg_result tg_device_connected(tg_device *device);
TG_MUST_USE tg_result tg_device_input(tg_device *device, const void *data, size_t size);
void tg_device_closed(tg_device *device);

// Wall clock in ms since 1970 as the gateway knows it, within half a round trip; 0 = not known.
uint64_t tg_device_time(const tg_device *device);

tg_link tg_device_link(const tg_device *device);
tg_stats tg_device_stats(const tg_device *device);

#ifdef __cplusplus
}
#endif
