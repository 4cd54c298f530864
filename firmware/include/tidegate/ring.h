// The offline ring: every message a device has made and the gateway has not acknowledged, oldest first.
//
//   memory  | record | record |   free   | record | record | unused |
//                             ^tail      ^head: the oldest          end
//   record  | ticks 4 | size 2 | alias 1 | payload |, never cut in two by the end of the memory
//
// This one lives in RAM, so its content ends with the power; each start is a new store with a new epoch, and sequences
// begin at 1. A ring in flash keeps these functions and their contract and is linked in place of ring.c: users hold no
// offsets, only cursors, and a cursor is worth nothing but its sequence when records were overwritten.
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
  uint32_t oldest_sequence;  // to be read: of the oldest record held; = next_sequence if none
  uint32_t next_sequence;    // to be read: of the next record to be made
  uint32_t lost;             // to be read: records overwritten before they were released
} tg_ring;

typedef struct tg_record {
  uint32_t sequence;
  uint32_t ticks;          // when it was made
  uint8_t alias;           // of its topic
  const uint8_t *payload;  // into the ring: valid until the next append
  size_t size;
} tg_record;

// A reading position. All zero stands at the oldest record; one whose record is gone moves on to the oldest.
typedef struct tg_ring_cursor {
  uint32_t sequence;
  size_t offset;
} tg_ring_cursor;

// `memory` stays the caller's and must live as long as the ring.
void tg_ring_init(tg_ring *ring, void *memory, size_t capacity);

// True if a payload of `size` bytes can be appended without overwriting.
bool tg_ring_fits(const tg_ring *ring, size_t size);

// Copies the payload into the ring, overwriting the oldest records (they count as lost) until it fits. Returns its
// sequence, or 0 if it can never fit or if the epoch's sequences are used up.
uint32_t tg_ring_append(tg_ring *ring, uint8_t alias, uint32_t ticks, const void *payload, size_t size);

// Forgets all records up to `sequence` and returns how many were still held.
uint32_t tg_ring_release(tg_ring *ring, uint32_t sequence);

// Loads the record at the cursor and moves the cursor behind it. False at the end, with nothing changed.
bool tg_ring_next(const tg_ring *ring, tg_ring_cursor *cursor, tg_record *record);

#ifdef __cplusplus
}
#endif
