#include "frame.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

#include "fields.h"

enum { WIRE_TYPE_LENGTH_DELIMITED = 2, VARINT32_BYTES_MAX = 5 };

typedef enum varint_result { VARINT_READY, VARINT_MORE, VARINT_OVERLONG } varint_result;

static varint_result read_varint32(const uint8_t *in, size_t size, size_t *position, uint32_t *value) {
  const uint8_t *at = in + *position;
  const size_t left = size - *position;
  if (left > 0 && at[0] < 0x80) {  // one byte or two: nearly every key and length
    *value = at[0];
    *position += 1;
    return VARINT_READY;
  }
  if (left > 1 && at[1] < 0x80) {
    *value = (at[0] & 0x7FU) | (uint32_t)at[1] << 7;
    *position += 2;
    return VARINT_READY;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < VARINT32_BYTES_MAX; i++) {
    if (i >= left) return VARINT_MORE;
    const uint8_t byte = at[i];
    sum |= (uint64_t)(byte & 0x7F) << (7 * i);
    if ((byte & 0x80) == 0) {
      *position += i + 1;
      *value = (uint32_t)sum;
      return sum > UINT32_MAX ? VARINT_OVERLONG : VARINT_READY;
    }
  }
  return VARINT_OVERLONG;
}

static size_t write_varint32(uint8_t *out, uint32_t value) {
  size_t size = 0;
  while (value >= 0x80) {
    out[size++] = (uint8_t)(value | 0x80);
    value >>= 7;
  }
  out[size++] = (uint8_t)value;
  return size;
}

tg_split tg_frame_split(const uint8_t *in, size_t size, size_t body_max, tg_frame *frame) {
  size_t position = 0;
  uint32_t key = 0, length = 0;
  *frame = (tg_frame){0};
  varint_result result = read_varint32(in, size, &position, &key);
  if (result == VARINT_MORE) return TG_SPLIT_MORE;
  if (result == VARINT_OVERLONG || key % 8 != WIRE_TYPE_LENGTH_DELIMITED || key / 8 == 0) return TG_SPLIT_MALFORMED;
  result = read_varint32(in, size, &position, &length);
  if (result == VARINT_MORE) return TG_SPLIT_MORE;
  // Protobuf's own bound. Above it the frame's size would wrap if size_t has 32 bits.
  if (result == VARINT_OVERLONG || length > INT32_MAX) return TG_SPLIT_MALFORMED;
  frame->member = key / 8;
  frame->size = position + length;
  if (length > body_max) return TG_SPLIT_TOO_LARGE;
  if (size - position < length) return TG_SPLIT_MORE;
  frame->body = in + position;
  frame->body_size = length;
  return TG_SPLIT_READY;
}

size_t tg_frame_encode(uint8_t *out, size_t capacity, tg_member member, const pb_msgdesc_t *fields,
                       const void *message) {
  // The body's size is known only after encoding, because a list can be stepped through only once. The body is
  // therefore written after room for the longest header, and then moved so that it follows the real one.
  if (capacity <= TG_FRAME_HEADER_MAX) return 0;
  pb_ostream_t stream = pb_ostream_from_buffer(out + TG_FRAME_HEADER_MAX, capacity - TG_FRAME_HEADER_MAX);
  if (!pb_encode(&stream, fields, message)) return 0;
  const size_t body_size = stream.bytes_written;
  size_t header_size = write_varint32(out, (uint32_t)member * 8 + WIRE_TYPE_LENGTH_DELIMITED);
  header_size += write_varint32(out + header_size, (uint32_t)body_size);
  memmove(out + header_size, out + TG_FRAME_HEADER_MAX, body_size);
  return header_size + body_size;
}

bool tg_frame_decode(const tg_frame *frame, const pb_msgdesc_t *fields, void *message) {
  pb_istream_t stream = tg_field_stream(frame->body, frame->body_size);
  return pb_decode_ex(&stream, fields, message, PB_DECODE_NOINIT);
}
