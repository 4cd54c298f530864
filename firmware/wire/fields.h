// What the generated structs hold where protobuf has text, bytes or a list: nothing that owns memory.
#pragma once

#include <pb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Text or bytes. After decoding it points into the decoded frame and lives as long as that buffer; for encoding it
// points at the sender's memory. size 0 is an absent field.
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

// nanopb's hook for every field of the kinds above; link.options names it. Decodes from tg_field_stream only, and
// refuses a field that came as anything but bytes.
bool tg_field_callback(pb_istream_t *in, pb_ostream_t *out, const pb_field_t *field);

// A stream of these bytes. Views made from it point into them.
pb_istream_t tg_field_stream(const uint8_t *data, size_t size);

#ifdef __cplusplus
}
#endif
