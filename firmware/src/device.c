#include <string.h>
#include <tidegate/device.h>

#include "internal.h"

static bool is_config_sound(const tg_config *config) {
  const tg_hooks *hooks = &config->hooks;
  if (config->device_id == NULL || config->ring == NULL || config->receive == NULL) return false;
  if (config->transmit == NULL || config->topics == NULL || config->topics_max == 0) return false;
  if (hooks->send == NULL || hooks->ticks == NULL || hooks->random == NULL) return false;
  const size_t id_size = strlen(config->device_id);
  if (id_size == 0 || id_size > TG_DEVICE_ID_MAX) return false;
  if (config->token_size > TG_TOKEN_MAX || (config->token == NULL && config->token_size > 0)) return false;
  if (config->ring_size <= TG_RECORD_HEADER || config->receive_size < TG_RECEIVE_MIN) return false;
  if (config->transmit_size < TG_TRANSMIT_MIN || config->sleep_seconds > INT32_MAX / 1000) return false;
  if (config->receive_size > INT32_MAX || config->transmit_size > INT32_MAX) return false;
  return config->retry_min_ms > 0 && config->retry_max_ms >= config->retry_min_ms && config->answer_ms > 0;
}

tg_result tg_device_init(tg_device *device, const tg_config *config) {
  if (!is_config_sound(config)) return TG_ERROR_ARGUMENT;
  memset(device, 0, sizeof *device);
  device->config = config;
  tg_ring_init(&device->ring, config->ring, config->ring_size);
  // An epoch of 0 would be an absent member of Hello.
  const uint32_t random = config->hooks.random(config->hooks.context);
  device->epoch = random == 0 ? 1 : random;
  return TG_OK;
}

static const tg_topic *find_topic(const tg_device *device, uint32_t alias) {
  for (size_t i = 0; i < device->topic_count; i++) {
    if (device->config->topics[i].alias == alias) return &device->config->topics[i];
  }
  return NULL;
}

tg_result tg_device_topic(tg_device *device, uint32_t alias, const char *routing_key) {
  const size_t size = routing_key == NULL ? 0 : strlen(routing_key);
  if (alias == 0 || alias > UINT8_MAX || size == 0 || size > TG_ROUTING_KEY_MAX) return TG_ERROR_ARGUMENT;
  const tg_topic *known = find_topic(device, alias);
  if (known != NULL) return strcmp(known->routing_key, routing_key) == 0 ? TG_OK : TG_ERROR_ALIAS;
  if (device->topic_count == device->config->topics_max) return TG_ERROR_LIMIT;
  device->config->topics[device->topic_count++] =
      (tg_topic){.alias = (uint8_t)alias, .size = (uint8_t)size, .routing_key = routing_key};
  return TG_OK;
}

tg_result tg_device_publish(tg_device *device, uint32_t alias, const void *payload, size_t size, uint32_t *sequence) {
  if (payload == NULL && size > 0) return TG_ERROR_ARGUMENT;
  if (find_topic(device, alias) == NULL) return TG_ERROR_ALIAS;
  if (size > TG_PAYLOAD_MAX || size + TG_RECORD_HEADER > device->config->ring_size) return TG_ERROR_TOO_LARGE;
  const uint32_t made = tg_ring_append(&device->ring, (uint8_t)alias, tg_now(device), payload, size);
  if (made == 0) return TG_ERROR_LIMIT;
  if (sequence != NULL) *sequence = made;
  return TG_OK;
}

bool tg_device_fits(const tg_device *device, size_t size) { return tg_ring_fits(&device->ring, size); }

// ------------------------------------------------------------------------------------------ the life of the link

static void enter(tg_device *device, tg_link link) {
  device->link = link;
  device->link_since = tg_now(device);
}

static void forget_session(tg_device *device) {
  device->received = device->skip = 0;
  device->output_size = device->output_sent = 0;
  device->hello_due = device->pong_due = device->probed = false;
  device->flight_count = 0;
}

void tg_device_connect(tg_device *device) {
  if (device->link != TG_LINK_IDLE) return;
  device->attempts = 0;
  enter(device, TG_LINK_OPENING);
}

void tg_device_close(tg_device *device) {
  forget_session(device);
  enter(device, TG_LINK_IDLE);
}

// The back-off doubles with each failed attempt. Half of it is random, so that the sensors of a hall do not all
// reconnect at the same moment.
static uint32_t next_backoff_ms(const tg_device *device) {
  const tg_config *config = device->config;
  uint64_t full = config->retry_min_ms;
  for (uint32_t i = 0; i < device->attempts && full < config->retry_max_ms; i++) full *= 2;
  if (full > config->retry_max_ms) full = config->retry_max_ms;
  const uint32_t half = (uint32_t)(full / 2);
  return (uint32_t)full - half + config->hooks.random(config->hooks.context) % (half + 1);
}

void tg_link_fail(tg_device *device) {
  forget_session(device);
  device->backoff_ms = next_backoff_ms(device);
  device->attempts++;
  device->failures++;
  enter(device, TG_LINK_WAITING);
}

void tg_link_ready(tg_device *device) {
  device->attempts = 0;
  device->sessions++;
  enter(device, TG_LINK_READY);
}

tg_result tg_device_connected(tg_device *device) {
  if (device->link != TG_LINK_OPENING) return TG_ERROR_STATE;
  forget_session(device);
  device->hello_due = true;
  enter(device, TG_LINK_GREETING);
  return TG_OK;
}

void tg_device_closed(tg_device *device) {
  if (device->link != TG_LINK_IDLE && device->link != TG_LINK_WAITING) tg_link_fail(device);
}

bool tg_device_wants_link(const tg_device *device) {
  return device->link != TG_LINK_IDLE && device->link != TG_LINK_WAITING;
}

bool tg_device_wants_output(const tg_device *device) { return device->output_size > 0; }

tg_link tg_device_link(const tg_device *device) { return device->link; }

// ------------------------------------------------------------------------------------------------------- polling

static uint32_t left(uint32_t now, uint32_t since, uint32_t duration) {
  const uint32_t elapsed = now - since;
  return elapsed >= duration ? 0 : duration - elapsed;
}

static uint32_t wait_for_retry(tg_device *device, uint32_t now) {
  const uint32_t wait = left(now, device->link_since, device->backoff_ms);
  if (wait == 0) enter(device, TG_LINK_OPENING);
  return wait;
}

static uint32_t give_up(tg_device *device) {
  tg_link_fail(device);
  return device->backoff_ms;
}

static uint32_t wait_for_answer(tg_device *device, uint32_t now) {
  const uint32_t wait = left(now, device->link_since, device->config->answer_ms);
  if (wait == 0) return give_up(device);
  const bool is_busy = device->link == TG_LINK_GREETING && tg_transmit(device, now);
  return is_busy ? 0 : wait;
}

// A gateway counts as dead if it has sent nothing for 1.5 times the agreed silence, not even an answer to our Ping,
// which is sent at 0.75 times.
static uint32_t serve_session(tg_device *device, uint32_t now) {
  const uint32_t silence = tg_silence_ms(device);
  const uint32_t dead = left(now, device->last_input, silence / 2 * 3);
  if (dead == 0) return give_up(device);
  if (tg_transmit(device, now)) return 0;
  if (tg_device_wants_output(device)) return dead;
  const uint32_t ping = left(now, device->last_output, silence / 4 * 3);
  const uint32_t probe = device->probed ? dead : left(now, device->last_input, silence / 4 * 3);
  return tg_least(dead, tg_least(ping, probe));
}

uint32_t tg_device_poll(tg_device *device) {
  const uint32_t now = tg_now(device);
  tg_clock_carry(device, now);
  switch (device->link) {
    case TG_LINK_WAITING: return wait_for_retry(device, now);
    case TG_LINK_OPENING:
    case TG_LINK_GREETING: return wait_for_answer(device, now);
    case TG_LINK_READY: return serve_session(device, now);
    case TG_LINK_IDLE: break;
  }
  return TG_FOREVER;
}

// ------------------------------------------------------------------------------------------------------- figures

tg_stats tg_device_stats(const tg_device *device) {
  const tg_ring *ring = &device->ring;
  return (tg_stats){.published = ring->next_sequence - 1,
                    .settled = device->settled,
                    .rejected = device->rejected,
                    .lost = ring->lost,
                    .held = ring->next_sequence - ring->oldest_sequence,
                    .sessions = device->sessions,
                    .failures = device->failures,
                    .errors = device->errors,
                    .refusal = device->refusal};
}
