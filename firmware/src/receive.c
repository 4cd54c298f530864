// Handles the gateway's frames. They are gathered in the caller's receive buffer, decoded there and acted on at once.
// If a frame needs an answer, that is only noted; tg_transmit makes the answer.
#include <string.h>

#include "firmware/wire/frame.h"
#include "firmware/wire/link.pb.h"
#include "internal.h"

// The largest frame if Welcome does not state one: the bound that applies to every peer before Hello.
enum { GATEWAY_FRAME_DEFAULT = 512 };

static tg_result take_welcome(tg_device *device, const tg_frame *frame) {
  tg_Welcome welcome = {0};
  if (device->link != TG_LINK_GREETING || device->hello_due) return TG_ERROR_PROTOCOL;
  if (!tg_frame_decode(frame, tg_Welcome_fields, &welcome)) return TG_ERROR_PROTOCOL;
  device->refusal = (uint32_t)welcome.status;
  if (welcome.status != tg_Code_OK) return TG_ERROR_REFUSED;
  const uint32_t frame_max = welcome.largest_frame == 0 ? GATEWAY_FRAME_DEFAULT : welcome.largest_frame;
  // The gateway cannot know messages that were not made yet. If it does not accept the longest message, such a message
  // would block all messages after it.
  if (welcome.durable_sequence >= device->ring.next_sequence || frame_max < TG_TRANSMIT_MIN) return TG_ERROR_PROTOCOL;
  const uint32_t next = welcome.durable_sequence + 1;
  device->settled += tg_ring_release(&device->ring, welcome.durable_sequence);
  device->going_sequence = next > device->hello_oldest ? next : device->hello_oldest;
  device->unsent = (tg_ring_cursor){0, 0};
  device->topics_sent = 0;
  device->window = welcome.window;
  device->gateway_frame_max = frame_max;
  tg_clock_set(device, welcome.unix_ms, welcome.ticks);
  tg_link_ready(device);
  return TG_OK;
}

static tg_result take_ack(tg_device *device, const tg_frame *frame) {
  tg_Ack ack = {0};
  if (device->link != TG_LINK_READY || !tg_frame_decode(frame, tg_Ack_fields, &ack)) return TG_ERROR_PROTOCOL;
  if (ack.sequence >= device->going_sequence) return TG_ERROR_PROTOCOL;
  device->settled += tg_ring_release(&device->ring, ack.sequence);
  tg_flights_settle(device, ack.sequence);
  device->window = ack.window;
  return TG_OK;
}

static tg_result take_reject(tg_device *device, const tg_frame *frame) {
  tg_Reject reject = {0};
  const tg_hooks *hooks = &device->config->hooks;
  if (device->link != TG_LINK_READY || !tg_frame_decode(frame, tg_Reject_fields, &reject)) return TG_ERROR_PROTOCOL;
  if (reject.sequence == 0 || reject.sequence >= device->going_sequence) return TG_ERROR_PROTOCOL;
  device->rejected++;
  if (hooks->rejected != NULL) hooks->rejected(hooks->context, reject.sequence, (uint32_t)reject.code);
  return TG_OK;
}

// Several unanswered Pings get one Pong, for the last of them, so that the state kept for them stays bounded.
static tg_result take_ping(tg_device *device, const tg_frame *frame) {
  tg_Ping ping = {0};
  if (!tg_frame_decode(frame, tg_Ping_fields, &ping)) return TG_ERROR_PROTOCOL;
  device->pong_due = true;
  device->pong_ticks = ping.ticks;
  return TG_OK;
}

static tg_result take_pong(tg_device *device, const tg_frame *frame) {
  tg_Pong pong = {0};
  if (!tg_frame_decode(frame, tg_Pong_fields, &pong)) return TG_ERROR_PROTOCOL;
  tg_clock_set(device, pong.unix_ms, pong.ticks);
  return TG_OK;
}

typedef tg_result (*take_frame)(tg_device *device, const tg_frame *frame);

static take_frame taker_of(uint32_t member) {
  switch (member) {
    case TG_WELCOME: return take_welcome;
    case TG_ACK: return take_ack;
    case TG_REJECT: return take_reject;
    case TG_PING: return take_ping;
    case TG_PONG: return take_pong;
    default: return NULL;
  }
}

static void drop_received(tg_device *device, size_t size) {
  uint8_t *buffer = device->config->receive;
  device->received -= size;
  memmove(buffer, buffer + size, device->received);
}

// Skips a frame that is too large for the buffer. That is harmless if its kind is unknown here. Otherwise the gateway
// ignored the largest frame stated in Hello.
static tg_result skip_frame(tg_device *device, const tg_frame *frame) {
  if (taker_of(frame->member) != NULL) return TG_ERROR_PROTOCOL;
  const size_t here = frame->size < device->received ? frame->size : device->received;
  device->skip = frame->size - here;
  drop_received(device, here);
  return TG_OK;
}

static tg_result take_one(tg_device *device, const tg_frame *frame) {
  const take_frame take = taker_of(frame->member);
  const tg_result result = take == NULL ? TG_OK : take(device, frame);
  if (result == TG_OK) drop_received(device, frame->size);
  return result;
}

// The limit for a body leaves room for the longest header, so the buffer never fills up with an incomplete frame.
static tg_result take_frames(tg_device *device) {
  const tg_config *config = device->config;
  const size_t body_max = config->receive_size - TG_FRAME_HEADER_MAX;
  for (;;) {
    tg_frame frame;
    tg_result result = TG_ERROR_PROTOCOL;
    switch (tg_frame_split(config->receive, device->received, body_max, &frame)) {
      case TG_SPLIT_MORE: return TG_OK;
      case TG_SPLIT_READY: result = take_one(device, &frame); break;
      case TG_SPLIT_TOO_LARGE: result = skip_frame(device, &frame); break;
      case TG_SPLIT_MALFORMED: break;
    }
    if (result != TG_OK) return result;
  }
}

// Copies as many bytes as fit into the buffer or, while skipping, discards them. Returns how many bytes it used.
static size_t gather(tg_device *device, const uint8_t *data, size_t size) {
  const tg_config *config = device->config;
  if (device->skip > 0) {
    const size_t skipped = size < device->skip ? size : device->skip;
    device->skip -= skipped;
    return skipped;
  }
  const size_t room = config->receive_size - device->received;
  const size_t taken = size < room ? size : room;
  memcpy((uint8_t *)config->receive + device->received, data, taken);
  device->received += taken;
  return taken;
}

tg_result tg_device_input(tg_device *device, const void *data, size_t size) {
  const uint8_t *in = data;
  if (device->link != TG_LINK_GREETING && device->link != TG_LINK_READY) return TG_ERROR_STATE;
  if (size > 0) {
    device->last_input = tg_now(device);
    device->probed = false;
  }
  while (size > 0) {
    const size_t taken = gather(device, in, size);
    in += taken;
    size -= taken;
    const tg_result result = take_frames(device);
    if (result == TG_OK) continue;
    if (result == TG_ERROR_PROTOCOL) device->errors++;
    tg_link_fail(device);
    return result;
  }
  return TG_OK;
}
