#include <string.h>
#include <tidegate/ring.h>

// A size that no record has. It marks the rest of the memory, up to its end, as unused.
enum { SIZE_UNUSED = 0xFFFF };

void tg_ring_init(tg_ring *ring, void *memory, size_t capacity) {
  memset(ring, 0, sizeof *ring);
  ring->memory = memory;
  ring->capacity = capacity;
  ring->oldest_sequence = 1;
  ring->next_sequence = 1;
}

static bool is_empty(const tg_ring *ring) { return ring->oldest_sequence == ring->next_sequence; }

static bool is_wrapped(const tg_ring *ring) { return !is_empty(ring) && ring->tail <= ring->head; }

// Headers are copied byte by byte because records start at any address, and a Cortex-M0 faults on an unaligned word.
static uint16_t size_at(const tg_ring *ring, size_t offset) {
  uint16_t size;
  memcpy(&size, ring->memory + offset + 4, sizeof size);
  return size;
}

// Returns where the record that follows the one ending at `offset` starts: there, or at 0 if the rest of the memory is
// unused. Valid only if another record follows.
static size_t past_the_end(const tg_ring *ring, size_t offset) {
  if (ring->capacity - offset < TG_RECORD_HEADER) return 0;
  return size_at(ring, offset) == SIZE_UNUSED ? 0 : offset;
}

static void drop_oldest(tg_ring *ring) {
  const size_t end = ring->head + TG_RECORD_HEADER + size_at(ring, ring->head);
  ring->oldest_sequence++;
  if (is_empty(ring)) {
    ring->head = ring->tail = 0;
  } else {
    ring->head = past_the_end(ring, end);
  }
}

// Finds a place for `need` bytes that overwrites no record. Returns false if there is none.
static bool find_place(const tg_ring *ring, size_t need, size_t *place) {
  *place = ring->tail;
  if (is_wrapped(ring)) return ring->head - ring->tail >= need;
  if (ring->capacity - ring->tail >= need) return true;
  *place = 0;
  return ring->head >= need;
}

static void mark_unused(tg_ring *ring) {
  const uint16_t unused = SIZE_UNUSED;
  if (ring->capacity - ring->tail >= TG_RECORD_HEADER) memcpy(ring->memory + ring->tail + 4, &unused, sizeof unused);
}

static void write_record(tg_ring *ring, const tg_record *record) {
  uint8_t *out = ring->memory + ring->tail;
  const uint16_t size = (uint16_t)record->size;
  memcpy(out, &record->ticks, sizeof record->ticks);
  memcpy(out + 4, &size, sizeof size);
  out[6] = record->alias;
  if (size > 0) memcpy(out + TG_RECORD_HEADER, record->payload, size);
  ring->tail += TG_RECORD_HEADER + record->size;
}

static bool can_ever_fit(const tg_ring *ring, size_t size) {
  return size <= TG_RECORD_PAYLOAD_MAX && size + TG_RECORD_HEADER <= ring->capacity;
}

bool tg_ring_fits(const tg_ring *ring, size_t size) {
  size_t place;
  return can_ever_fit(ring, size) && find_place(ring, size + TG_RECORD_HEADER, &place);
}

uint32_t tg_ring_append(tg_ring *ring, uint8_t alias, uint32_t ticks, const void *payload, size_t size) {
  size_t place;
  if (!can_ever_fit(ring, size) || ring->next_sequence == UINT32_MAX) return 0;
  while (!find_place(ring, size + TG_RECORD_HEADER, &place)) {
    drop_oldest(ring);
    ring->lost++;
  }
  if (place != ring->tail) mark_unused(ring);
  ring->tail = place;
  const tg_record record = {.ticks = ticks, .alias = alias, .payload = payload, .size = size};
  write_record(ring, &record);
  return ring->next_sequence++;
}

uint32_t tg_ring_release(tg_ring *ring, uint32_t sequence) {
  uint32_t released = 0;
  while (!is_empty(ring) && ring->oldest_sequence <= sequence) {
    drop_oldest(ring);
    released++;
  }
  return released;
}

bool tg_ring_next(const tg_ring *ring, tg_ring_cursor *cursor, tg_record *record) {
  const bool is_at_oldest = cursor->sequence <= ring->oldest_sequence;
  const uint32_t sequence = is_at_oldest ? ring->oldest_sequence : cursor->sequence;
  if (sequence >= ring->next_sequence) return false;
  const size_t offset = is_at_oldest ? ring->head : past_the_end(ring, cursor->offset);
  const uint8_t *in = ring->memory + offset;
  record->sequence = sequence;
  memcpy(&record->ticks, in, sizeof record->ticks);
  record->size = size_at(ring, offset);
  record->alias = in[6];
  record->payload = in + TG_RECORD_HEADER;
  cursor->sequence = sequence + 1;
  cursor->offset = offset + TG_RECORD_HEADER + record->size;
  return true;
}
