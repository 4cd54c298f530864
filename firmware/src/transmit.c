// Chooses, makes and sends the device's frames: one at a time, made in the caller's transmit buffer and passed to the
// link as it has room. In a session the order is Pong, Topic frames, messages, Ping.
#include <string.h>

#include "firmware/wire/frame.h"
#include "firmware/wire/link.pb.h"
#include "internal.h"

// Upper bounds of the bytes around a payload. Headers count at their longest, because tg_frame_encode needs that room.
enum {
  PUBLISH_OVERHEAD = TG_FRAME_HEADER_MAX + 3 + 3,  // alias; payload's tag and length
  BATCH_OVERHEAD = TG_FRAME_HEADER_MAX + 6 * 4,    // first sequence, first ticks, now, boot
  ITEM_OVERHEAD = 3 + 3 + 6 + 3                    // tag and length; alias; dt; payload's tag and length
};

// A single message up to this age is sent as Publish and gets its timestamp on arrival. An older one is sent in a
// Batch, which states its age.
enum { LIVE_MS = 100 };

// ------------------------------------------------------------------------------------------------ the flow window

static size_t in_flight(const tg_device *device) {
  size_t sum = 0;
  for (size_t i = 0; i < device->flight_count; i++) sum += device->flights[i].size;
  return sum;
}

static size_t window_left(const tg_device *device) {
  const size_t used = in_flight(device);
  return used >= device->window ? 0 : device->window - used;
}

// If the table is full, the newest entry covers several frames. They are released together, a little later than needed.
static void add_flight(tg_device *device, uint32_t last_sequence, size_t size) {
  const bool is_full = device->flight_count == TG_FLIGHTS_MAX;
  if (!is_full) device->flights[device->flight_count++].size = 0;
  tg_flight *newest = &device->flights[device->flight_count - 1];
  newest->size += (uint32_t)size;
  newest->last_sequence = last_sequence;
}

void tg_flights_settle(tg_device *device, uint32_t sequence) {
  size_t settled = 0;
  while (settled < device->flight_count && device->flights[settled].last_sequence <= sequence) settled++;
  device->flight_count -= settled;
  memmove(device->flights, device->flights + settled, device->flight_count * sizeof device->flights[0]);
}

// --------------------------------------------------------------------------------------------------------- frames

static bool make(tg_device *device, tg_member member, const pb_msgdesc_t *fields, const void *message) {
  const tg_config *config = device->config;
  device->output_sent = 0;
  device->output_size = tg_frame_encode(config->transmit, config->transmit_size, member, fields, message);
  return device->output_size > 0;
}

static tg_bytes bytes(const void *data, size_t size) { return (tg_bytes){.data = data, .size = size}; }

// largest_frame leaves room for the header, so that a frame fits the receive buffer whether or not the gateway counts
// its header.
static bool make_hello(tg_device *device, uint32_t now) {
  const tg_config *config = device->config;
  const tg_Hello hello = {.version = TG_HELLO_VERSION,
                          .device = bytes(config->device_id, strlen(config->device_id)),
                          .epoch = device->epoch,
                          .boot = TG_BOOT,
                          .next_sequence = device->ring.next_sequence,
                          .oldest_sequence = device->ring.oldest_sequence,
                          .lost = device->ring.lost,
                          .sleep_seconds = config->sleep_seconds,
                          .largest_frame = (uint32_t)config->receive_size - TG_FRAME_HEADER_MAX,
                          .token = bytes(config->token, config->token_size),
                          .ticks = now};
  device->hello_due = false;
  device->hello_oldest = device->ring.oldest_sequence;
  return make(device, TG_HELLO, tg_Hello_fields, &hello);
}

static bool make_pong(tg_device *device) {
  const tg_Pong pong = {.ticks = device->pong_ticks, .unix_ms = tg_device_time(device)};
  device->pong_due = false;
  return make(device, TG_PONG, tg_Pong_fields, &pong);
}

static bool make_topic(tg_device *device) {
  const tg_topic *topic = &device->config->topics[device->topics_sent++];
  const tg_Topic frame = {.alias = topic->alias, .routing_key = bytes(topic->routing_key, topic->size)};
  return make(device, TG_TOPIC, tg_Topic_fields, &frame);
}

static bool make_ping(tg_device *device, uint32_t now) {
  const tg_Ping ping = {.ticks = now};
  device->probed = true;
  return make(device, TG_PING, tg_Ping_fields, &ping);
}

static void sent_up_to(tg_device *device, tg_ring_cursor unsent) {
  device->unsent = unsent;
  device->going_sequence = unsent.sequence;
  add_flight(device, unsent.sequence - 1, device->output_size);
}

static bool make_publish(tg_device *device, const tg_record *record, tg_ring_cursor after) {
  const tg_Publish publish = {.alias = record->alias, .payload = bytes(record->payload, record->size)};
  if (record->size + PUBLISH_OVERHEAD > window_left(device)) return false;
  if (!make(device, TG_PUBLISH, tg_Publish_fields, &publish)) return false;
  sent_up_to(device, after);
  return true;
}

typedef struct batch_items {
  const tg_ring *ring;
  tg_ring_cursor cursor;
  size_t room;  // bytes left in the frame
  uint32_t ticks;
  uint8_t alias;
} batch_items;

static bool load_item(void *context, void *slot) {
  batch_items *items = context;
  tg_Item *item = slot;
  tg_ring_cursor after = items->cursor;
  tg_record record;
  if (!tg_ring_next(items->ring, &after, &record)) return false;
  if (record.size + ITEM_OVERHEAD > items->room) return false;
  item->alias = record.alias == items->alias ? 0 : record.alias;
  item->dt = record.ticks - items->ticks;
  item->payload = bytes(record.payload, record.size);
  items->room -= record.size + ITEM_OVERHEAD;
  items->cursor = after;
  items->ticks = record.ticks;
  items->alias = record.alias;
  return true;
}

static size_t batch_room(const tg_device *device) {
  size_t room = window_left(device);
  if (room > device->gateway_frame_max) room = device->gateway_frame_max;
  if (room > device->config->transmit_size) room = device->config->transmit_size;
  return room > BATCH_OVERHEAD ? room - BATCH_OVERHEAD : 0;
}

static bool make_batch(tg_device *device, const tg_record *first, uint32_t now) {
  tg_Item item = {0};
  batch_items items = {
      .ring = &device->ring, .cursor = device->unsent, .room = batch_room(device), .ticks = first->ticks};
  const tg_Batch batch = {.first_sequence = first->sequence,
                          .first_ticks = first->ticks,
                          .now_ticks = now,
                          .boot = TG_BOOT,
                          .items = {.step = load_item, .item = &item, .context = &items}};
  if (first->size + ITEM_OVERHEAD > items.room) return false;
  if (!make(device, TG_BATCH, tg_Batch_fields, &batch)) return false;
  sent_up_to(device, items.cursor);
  return true;
}

// Returns whether no record follows this one, none was skipped before it, and it is young enough.
static bool is_live(const tg_device *device, const tg_record *record, uint32_t now) {
  return record->sequence + 1 == device->ring.next_sequence && record->sequence == device->going_sequence &&
         now - record->ticks <= LIVE_MS;
}

static bool make_messages(tg_device *device, uint32_t now) {
  tg_record first;
  tg_ring_cursor after = device->unsent;
  if (!tg_ring_next(&device->ring, &after, &first)) return false;
  return is_live(device, &first, now) ? make_publish(device, &first, after) : make_batch(device, &first, now);
}

// ------------------------------------------------------------------------------------------------------- sending

static bool is_ping_due(const tg_device *device, uint32_t now) {
  const uint32_t patience = tg_silence_ms(device) / 4 * 3;
  return now - device->last_output >= patience || (!device->probed && now - device->last_input >= patience);
}

static bool make_next(tg_device *device, uint32_t now) {
  if (device->link == TG_LINK_GREETING) return device->hello_due && make_hello(device, now);
  if (device->pong_due) return make_pong(device);
  if (device->topics_sent < device->topic_count) return make_topic(device);
  return make_messages(device, now) || (is_ping_due(device, now) && make_ping(device, now));
}

static void flush(tg_device *device, uint32_t now) {
  const tg_config *config = device->config;
  const uint8_t *from = (const uint8_t *)config->transmit + device->output_sent;
  const size_t sent = config->hooks.send(config->hooks.context, from, device->output_size - device->output_sent);
  if (sent == 0) return;
  device->last_output = now;
  device->output_sent += sent;
  if (device->output_sent >= device->output_size) device->output_size = device->output_sent = 0;
}

bool tg_transmit(tg_device *device, uint32_t now) {
  if (device->output_size > 0) flush(device, now);
  if (device->output_size > 0 || !make_next(device, now)) return false;
  flush(device, now);
  return true;
}
