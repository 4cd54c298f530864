// Functions shared by the sources of the device client. receive.c handles the gateway's frames. device.c has the public
// functions and the state of the link. transmit.c makes and sends frames. clock.c keeps the time and the agreed
// silence. Each file calls only those named after it, so calls between files form no circle.
#pragma once

#include <tidegate/device.h>

// TG_HEARTBEAT_MS is the gateway's heartbeat, which applies if sleep_seconds is 0.
enum { TG_HEARTBEAT_MS = 30000, TG_HELLO_VERSION = 1, TG_BOOT = 1 };

static inline uint32_t tg_now(const tg_device *device) {
  return device->config->hooks.ticks(device->config->hooks.context);
}

static inline uint32_t tg_least(uint32_t a, uint32_t b) { return a < b ? a : b; }

// Gives the link up: discards the state of the session and starts the back-off.
void tg_link_fail(tg_device *device);

// Starts the session, after a Welcome was accepted.
void tg_link_ready(tg_device *device);

// Sends waiting bytes and, when all of them are sent, makes the next frame. Returns true if it made one.
bool tg_transmit(tg_device *device, uint32_t now);

// Removes the flights that an Ack of `sequence` covers.
void tg_flights_settle(tg_device *device, uint32_t sequence);

// Returns the silence agreed on with the gateway, in ms.
uint32_t tg_silence_ms(const tg_device *device);

// Sets the clock to the gateway's `unix_ms`, which came in the answer to a frame made at `asked_ticks`.
void tg_clock_set(tg_device *device, uint64_t unix_ms, uint32_t asked_ticks);

// Moves the clock's base forward, so that it is never older than one wrap of the ticks. Call at least once per wrap.
void tg_clock_carry(tg_device *device, uint32_t now);
