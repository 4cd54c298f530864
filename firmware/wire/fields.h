// The types that the generated structs use for protobuf's text, bytes and lists. None of them owns memory.
#pragma once

#include <pb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Text or bytes. After decoding, `data` points into the decoded frame and is valid as long as that buffer. For
// encoding, it points to the sender's memory. size 0 = the field is absent, unless `data` is tg_empty: then the field
// is sent, empty. A receiver sees an absent field by its `data`, which is NULL.
typedef struct tg_bytes {
  const uint8_t *data;
  size_t size;
} tg_bytes;

// A repeated message, one item at a time. `item` is the caller's slot, a struct of the item's generated type.
// Encoding: step loads the next item into the slot and returns true, or returns false at the end.
// Decoding: step is called with each decoded item in the slot and returns false to refuse the frame.
// With step == NULL nothing is encoded, and items that arrive are skipped.
typedef struct tg_list {
  bool (*step)(void *context, void *item);
  void *item;
  void *context;
} tg_list;

#ifdef __cplusplus
extern "C" {
#endif

extern const uint8_t tg_empty[1];

// Encodes or decodes a field of the types above; nanopb calls it because link.options names it. Decodes from
// tg_field_stream only. Refuses a field that was not sent as bytes.
bool tg_field_callback(pb_istream_t *in, pb_ostream_t *out, const pb_field_t *field);

// Returns a stream that reads `data`. Views decoded from the stream point into `data`.
pb_istream_t tg_field_stream(const uint8_t *data, size_t size);

#ifdef __cplusplus
}
#endif
