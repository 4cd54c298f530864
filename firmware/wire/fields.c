#include "fields.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

// A buffer stream keeps its read position in `state`, so a view needs no copy (pb_istream_from_buffer in pb_decode.c).
static bool decode_bytes(pb_istream_t *in, tg_bytes *bytes) {
  bytes->data = (const uint8_t *)in->state;
  bytes->size = in->bytes_left;
  return pb_read(in, NULL, in->bytes_left);
}

static bool encode_bytes(pb_ostream_t *out, const pb_field_t *field, const tg_bytes *bytes) {
  if (bytes->size == 0) return true;
  return pb_encode_tag_for_field(out, field) && pb_encode_string(out, bytes->data, bytes->size);
}

static bool decode_item(pb_istream_t *in, const pb_field_t *field, const tg_list *list) {
  if (list->step == NULL) return pb_read(in, NULL, in->bytes_left);
  return pb_decode(in, field->submsg_desc, list->item) && list->step(list->context, list->item);
}

static bool encode_items(pb_ostream_t *out, const pb_field_t *field, const tg_list *list) {
  while (list->step != NULL && list->step(list->context, list->item)) {
    if (!pb_encode_tag_for_field(out, field)) return false;
    if (!pb_encode_submessage(out, field->submsg_desc, list->item)) return false;
  }
  return true;
}

bool tg_field_callback(pb_istream_t *in, pb_ostream_t *out, const pb_field_t *field) {
  const bool is_list = PB_HTYPE(field->type) == PB_HTYPE_REPEATED;
  if (in != NULL) return is_list ? decode_item(in, field, field->pData) : decode_bytes(in, field->pData);
  return is_list ? encode_items(out, field, field->pData) : encode_bytes(out, field, field->pData);
}
