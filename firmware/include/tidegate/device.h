// A sensor's end of the Tidegate link. It publishes small payloads under a few topics, keeps every message in a ring
// until the gateway has it on flash, and after a lost link sends the unacknowledged messages again. docs/wire.md
// describes the frames.
//
// The caller owns all memory, nothing is allocated, nothing blocks, there are no globals. A device belongs to one
// thread (or the main loop); no function may be called from an interrupt. The link is a reliable byte stream. The port
// (the code that connects the device to a network) opens and closes the link as the device wants:
//
//   for (;;) {
//     uint32_t sleep_ms = tg_device_poll(&device);
//     if (tg_device_wants_link(&device)) { start to open the link, if it is not open or opening }
//     else { close the link, if it is open or opening }
//     wait for bytes, for an opened link, for room to send if tg_device_wants_output(), or for sleep_ms
//     opened:  tg_device_connected(&device)        bytes:  tg_device_input(&device, bytes, size)
//     failed or ended:  tg_device_closed(&device)
//   }
//
// tg_device_wants_link is a level, not an event. It turns false when a frame was malformed, an answer is late, the
// gateway refused the device or a back-off runs. It turns true when the next attempt is due.
//
// Ticks are free-running milliseconds that may wrap at 2^32. A record older than 2^32 ms gets a wrong timestamp.
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
  TG_ERROR_ARGUMENT,   // an argument is outside of its stated range
  TG_ERROR_ALIAS,      // no such topic, or it has another routing key
  TG_ERROR_TOO_LARGE,  // payload above TG_PAYLOAD_MAX, or larger than the whole ring
  TG_ERROR_LIMIT,      // more topics than there is room for, or the epoch's 2^32 - 2 sequences are used up
  TG_ERROR_STATE,      // not possible now: no link is wanted or open
  TG_ERROR_PROTOCOL,   // the gateway broke the protocol; the link must close
  TG_ERROR_REFUSED     // the gateway refused the device for the reason in tg_stats.refusal; the link must close
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

// Functions that the port provides. None of them may call a function of the device, except that `rejected` may publish.
typedef struct tg_hooks {
  void *context;
  // Sends as many bytes as the link has room for now, and returns their number; 0 = no room. The port reports a broken
  // link with tg_device_closed.
  size_t (*send)(void *context, const uint8_t *data, size_t size);
  // Returns the ticks now.
  uint32_t (*ticks)(void *context);
  // Returns 32 random bits, different after each start. They become the epoch and spread reconnects.
  uint32_t (*random)(void *context);
  // Reports that a message will never be stored; `code` is a Code of link.proto. May be NULL.
  void (*rejected)(void *context, uint32_t sequence, uint32_t code);
} tg_hooks;

// A routing key and its alias, the number that replaces it in frames.
typedef struct tg_topic {
  uint8_t alias;
  uint8_t size;
  const char *routing_key;
} tg_topic;

// Settings of a device. The struct and all it points to must live as long as the device; the struct may be const in
// flash.
typedef struct tg_config {
  const char *device_id;  // 1-16 bytes, unique among the gateway's devices, zero-terminated
  const void *token;      // credential, up to TG_TOKEN_MAX bytes; may be NULL
  size_t token_size;
  tg_hooks hooks;

  void *ring;  // room for at least one record: TG_RECORD_HEADER + the largest payload
  size_t ring_size;
  void *receive;  // at least TG_RECEIVE_MIN bytes
  size_t receive_size;
  void *transmit;  // at least TG_TRANSMIT_MIN bytes; a larger buffer allows larger batches
  size_t transmit_size;
  tg_topic *topics;
  size_t topics_max;

  uint32_t retry_min_ms;   // first back-off; doubles with each failure, half of it random
  uint32_t retry_max_ms;   // longest back-off
  uint32_t answer_ms;      // longest wait for the link to open, and then again for its Welcome
  uint32_t sleep_seconds;  // longest silence planned; 0 = the gateway's heartbeat, 30 s
} tg_config;

// published = settled + lost + held, at any time.
typedef struct tg_stats {
  uint32_t published;
  uint32_t settled;   // released by an Ack or a Welcome: on flash at the gateway, or rejected
  uint32_t rejected;  // Reject frames; a message sent again after a lost link may be rejected and counted again
  uint32_t lost;      // overwritten before an Ack: an upper bound, since the Ack may just have been late
  uint32_t held;      // in the ring
  uint32_t sessions;  // Welcomes with status OK
  uint32_t failures;  // links that failed, ended or were given up
  uint32_t errors;    // links given up for a malformed, oversized or impossible frame
  uint32_t refusal;   // status of the last Welcome, a Code of link.proto; 0 = OK or none yet
} tg_stats;

// Bytes that are sent and not acknowledged, and the sequence whose Ack releases them.
typedef struct tg_flight {
  uint32_t last_sequence;
  uint32_t size;
} tg_flight;

typedef enum tg_link {
  TG_LINK_IDLE,      // the caller wants no link
  TG_LINK_WAITING,   // backing off
  TG_LINK_OPENING,   // the port opens the link
  TG_LINK_GREETING,  // open; Hello is being sent, Welcome has not come yet
  TG_LINK_READY      // in session
} tg_link;

// The state of a device. The members are private; the struct is declared here because the caller provides its memory.
typedef struct tg_device {
  const tg_config *config;
  tg_ring ring;
  uint32_t epoch;
  size_t topic_count;

  tg_link link;
  uint32_t link_since;  // ticks at the last change of `link`
  uint32_t backoff_ms;
  uint32_t attempts;  // failed attempts since the last accepted Welcome

  // Receiving
  size_t received;  // bytes in config->receive
  size_t skip;      // bytes still to come of a frame that is skipped: of an unknown kind and too large
  uint32_t last_input;

  // Sending
  size_t output_size;  // bytes in config->transmit
  size_t output_sent;  // of them, bytes that the link has accepted
  uint32_t last_output;
  bool hello_due;
  bool pong_due;
  bool probed;  // a Ping was made since the last input
  uint32_t pong_ticks;
  size_t topics_sent;

  // Session
  tg_ring_cursor unsent;
  uint32_t hello_oldest;    // oldest_sequence in the last Hello
  uint32_t going_sequence;  // the sequence that the gateway gives to the next Publish
  uint32_t window;
  uint32_t gateway_frame_max;
  tg_flight flights[TG_FLIGHTS_MAX];
  size_t flight_count;

  uint64_t unix_ms;  // wall clock at unix_ticks; 0 = not known
  uint32_t unix_ticks;

  uint32_t settled, rejected, sessions, failures, errors, refusal;
} tg_device;

// Initialises the device: idle, with an empty ring, a new random epoch and boot 1, because a ring in RAM is a new store
// after each start.
TG_MUST_USE tg_result tg_device_init(tg_device *device, const tg_config *config);

// Names a topic, before or after connecting. `alias` is 1-255; `routing_key` is zero-terminated and must live as long
// as the device. Naming the topic again with the same alias and routing key has no effect.
TG_MUST_USE tg_result tg_device_topic(tg_device *device, uint32_t alias, const char *routing_key);

// Makes the device want a link. Has no effect if it already does.
void tg_device_connect(tg_device *device);

// Makes the device want no link. The messages in the ring stay. The port closes the link without a last frame.
void tg_device_close(tg_device *device);

// Appends one message to the ring and copies the payload once; the next poll sends it. If the ring is full, the oldest
// messages are overwritten and counted as lost. Sets *sequence to the message's sequence; `sequence` may be NULL.
TG_MUST_USE tg_result tg_device_publish(tg_device *device, uint32_t alias, const void *payload, size_t size,
                                        uint32_t *sequence);
// Returns whether a payload of `size` bytes can be published now without overwriting a message.
bool tg_device_fits(const tg_device *device, size_t size);

// Does a bounded amount of work (at most one frame is made). Returns how many ms the device may sleep if nothing
// happens on the link; 0 = there is more to do, TG_FOREVER = idle. Pass received bytes to tg_device_input before
// polling.
TG_MUST_USE uint32_t tg_device_poll(tg_device *device);

// Returns whether the device wants a link, as of the last call of any function.
bool tg_device_wants_link(const tg_device *device);
// Returns whether the device has bytes that the link had no room for. Poll as soon as the link has room.
bool tg_device_wants_output(const tg_device *device);

// Reports that the port has opened the link.
TG_MUST_USE tg_result tg_device_connected(tg_device *device);
// Passes received bytes to the device: any piece of the stream. After TG_ERROR_PROTOCOL or TG_ERROR_REFUSED the device
// no longer wants the link.
TG_MUST_USE tg_result tg_device_input(tg_device *device, const void *data, size_t size);
// Reports that the link failed to open or has ended.
void tg_device_closed(tg_device *device);

// Returns the gateway's wall clock in ms since 1970, accurate to half a round trip; 0 = not known.
uint64_t tg_device_time(const tg_device *device);

tg_link tg_device_link(const tg_device *device);
tg_stats tg_device_stats(const tg_device *device);

#ifdef __cplusplus
}
#endif
