// The silence agreed on by both sides, and the gateway's wall clock, which advances with the device's ticks.
#include "internal.h"

uint32_t tg_silence_ms(const tg_device *device) {
  const uint32_t seconds = device->config->sleep_seconds;
  return seconds == 0 ? TG_HEARTBEAT_MS : seconds * 1000;
}

void tg_clock_set(tg_device *device, uint64_t unix_ms, uint32_t asked_ticks) {
  const uint32_t now = tg_now(device);
  const uint32_t round_trip = now - asked_ticks;
  // An echo older than the deadline for answers is not the answer to a recent frame of ours.
  if (unix_ms == 0 || round_trip > device->config->answer_ms) return;
  device->unix_ms = unix_ms + round_trip / 2;
  device->unix_ticks = now;
}

void tg_clock_carry(tg_device *device, uint32_t now) {
  if (device->unix_ms == 0) return;
  device->unix_ms += now - device->unix_ticks;
  device->unix_ticks = now;
}

uint64_t tg_device_time(const tg_device *device) {
  return device->unix_ms == 0 ? 0 : device->unix_ms + (tg_now(device) - device->unix_ticks);
}
