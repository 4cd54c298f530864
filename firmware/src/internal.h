// What the sources of the device client share. The parts: receive.c is what the gateway says, device.c the interface
// and the life of the link, transmit.c what goes out and when, clock.c the time and the agreed silence. Each calls only
// those named after it: calls between files form no circle.
#pragma once

#include <tidegate/device.h>

// The gateway's heartbeat, agreed on by saying sleep 0.
enum { TG_HEARTBEAT_MS = 30000, TG_HELLO_VERSION = 1, TG_BOOT = 1 };

static inline uint32_t tg_now(const tg_device *device) {
  return device->config->hooks.ticks(device->config->hooks.context);
}

static inline uint32_t tg_least(uint32_t a, uint32_t b) { return a < b ? a : b; }

// Gives the link up: back-off, and nothing of the session remains.
void tg_link_fail(tg_device *device);

// A Welcome was accepted; the session begins.
void tg_link_ready(tg_device *device);

// Hands waiting bytes to the link and, when all are gone, makes the next frame. True if it made one.
bool tg_transmit(tg_device *device, uint32_t now);

// Forgets the frames that an Ack of `sequence` covers.
void tg_flights_settle(tg_device *device, uint32_t sequence);

// Silence agreed on with the gateway, in ms.
uint32_t tg_silence_ms(const tg_device *device);

// Sets the clock to the gateway's `unix_ms`, which answers a frame that left at `asked_ticks`.
void tg_clock_set(tg_device *device, uint64_t unix_ms, uint32_t asked_ticks);

// Keeps the clock's base younger than the ticks' wrap. Call at least once in that time.
void tg_clock_carry(tg_device *device, uint32_t now);
