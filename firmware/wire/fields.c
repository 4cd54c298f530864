#include "fields.h"

#include <pb_common.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

// The stream's state is its read position.
static bool read_view(pb_istream_t *in, pb_byte_t *out, size_t size) {
  const uint8_t *position = in->state;
  if (out != NULL) memcpy(out, position, size);
  in->state = (void *)(position + size);
  return true;
}

pb_istream_t tg_field_stream(const uint8_t *data, size_t size) {
  return (pb_istream_t){.callback = read_view, .state = (void *)data, .bytes_left = size};
}

// If a peer sends a number in a field of bytes, nanopb copies the number to its stack and passes in a stream of that
// copy. A view of the copy would outlive it, so such a field is refused.
static bool is_in_frame(const pb_istream_t *in) { return in->callback == read_view; }

static void skip_rest(pb_istream_t *in) {
  in->state = (uint8_t *)in->state + in->bytes_left;
  in->bytes_left = 0;
}

static bool decode_bytes(pb_istream_t *in, tg_bytes *bytes) {
  bytes->data = (const uint8_t *)in->state;
  bytes->size = in->bytes_left;
  skip_rest(in);
  return true;
}

const uint8_t tg_empty[1] = {0};

static bool encode_bytes(pb_ostream_t *out, const pb_field_t *field, const tg_bytes *bytes) {
  if (bytes->size == 0 && bytes->data != tg_empty) return true;
  return pb_encode_tag_for_field(out, field) && pb_encode_string(out, bytes->data, bytes->size);
}

// Makes every text and bytes field absent. pb_decode does not do this: it leaves them unchanged.
static void clear_fields(const pb_msgdesc_t *fields, void *message) {
  pb_field_iter_t field;
  if (!pb_field_iter_begin(&field, fields, message)) return;
  do {
    const bool is_list = PB_HTYPE(field.type) == PB_HTYPE_REPEATED;
    if (PB_ATYPE(field.type) == PB_ATYPE_CALLBACK && !is_list) memset(field.pData, 0, sizeof(tg_bytes));
  } while (pb_field_iter_next(&field));
}

static bool decode_item(pb_istream_t *in, const pb_field_t *field, const tg_list *list) {
  if (list->step == NULL) {
    skip_rest(in);
    return true;
  }
  clear_fields(field->submsg_desc, list->item);
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
  if (in != NULL && !is_in_frame(in)) return false;
  if (in != NULL) return is_list ? decode_item(in, field, field->pData) : decode_bytes(in, field->pData);
  return is_list ? encode_items(out, field, field->pData) : encode_bytes(out, field, field->pData);
}
