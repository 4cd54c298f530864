// The offline ring: holds the messages that a device has made and the gateway has not acknowledged, oldest first.
//
//   memory  | record | record |   free   | record | record | unused |
//                             ^tail      ^head: the oldest          end
//   record  | ticks 4 | size 2 | alias 1 | payload |, never split by the end of the memory
//
// ring.c keeps the ring in RAM, so its content is lost with the power. Each start is a new store with a new epoch, and
// sequences start at 1. A ring in flash would keep these functions and their contract and be linked in place of ring.c.
// Its users hold no offsets, only cursors. When records were overwritten, only the sequence of a cursor is still valid.
//
// Not for use from an interrupt. The members of the structs are private unless a comment says otherwise.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TG_RECORD_HEADER = 7, TG_RECORD_PAYLOAD_MAX = 0xFFFE };

typedef struct tg_ring {
  uint8_t *memory;
  size_t capacity;
  size_t head;
  size_t tail;
  uint32_t oldest_sequence;  // may be read: sequence of the oldest record held; = next_sequence if none
  uint32_t next_sequence;    // may be read: sequence of the next record to be made
  uint32_t lost;             // may be read: number of records overwritten before they were released
} tg_ring;

typedef struct tg_record {
  uint32_t sequence;
  uint32_t ticks;          // when it was made
  uint8_t alias;           // of its topic
  const uint8_t *payload;  // into the ring: valid until the next append
  size_t size;
} tg_record;

// A reading position. An all-zero cursor is at the oldest record. A cursor whose record is gone moves to the oldest.
typedef struct tg_ring_cursor {
  uint32_t sequence;
  size_t offset;
} tg_ring_cursor;

// Initialises an empty ring. `memory` belongs to the caller and must live as long as the ring.
void tg_ring_init(tg_ring *ring, void *memory, size_t capacity);

// Returns whether a payload of `size` bytes can be appended without overwriting a record.
bool tg_ring_fits(const tg_ring *ring, size_t size);

// Copies the payload into the ring. Overwrites the oldest records, which count as lost, until it fits. Returns the new
// record's sequence, or 0 if the payload can never fit or the epoch's sequences are used up.
uint32_t tg_ring_append(tg_ring *ring, uint8_t alias, uint32_t ticks, const void *payload, size_t size);

// Releases all records up to and including `sequence`. Returns how many of them were still held.
uint32_t tg_ring_release(tg_ring *ring, uint32_t sequence);

// Loads the record at the cursor and moves the cursor past it. Returns false at the end, and then changes nothing.
bool tg_ring_next(const tg_ring *ring, tg_ring_cursor *cursor, tg_record *record);

#ifdef __cplusplus
}
#endif
