// Frames on a stream link: key, length, body, with key = member number x 8 + 2 and both as varints.
//
//   | key 1-5 bytes | length 1-5 bytes | body: one protobuf message |
//
// The member number is the message's field number in `Link` (link.proto), such as TG_HELLO.
#pragma once

#include <pb.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Field numbers of Link, which nanopb does not generate for skipped messages.
typedef enum tg_member {
  TG_HELLO = 1,
  TG_WELCOME = 2,
  TG_TOPIC = 3,
  TG_PUBLISH = 4,
  TG_BATCH = 5,
  TG_ACK = 7,
  TG_REJECT = 8,
  TG_PING = 11,
  TG_PONG = 12,
  TG_CONNECT = 16,
  TG_CONNECTED = 17,
  TG_DECLARE_EXCHANGE = 18,
  TG_DECLARE_QUEUE = 19,
  TG_DECLARE_TOPIC = 20,
  TG_BIND = 21,
  TG_UNBIND = 22,
  TG_DELETE = 23,
  TG_DONE = 24,
  TG_ERROR = 25,
  TG_LIST = 26,
  TG_LISTED = 27,
  TG_PURGE = 28,
  TG_PUBLISH_MESSAGE = 30,
  TG_CONFIRM = 31,
  TG_RETURN = 32,
  TG_CONSUME = 33,
  TG_CANCEL = 34,
  TG_DELIVER = 35,
  TG_SETTLE = 36,
  TG_GET = 37,
  TG_GOT = 38,
  TG_CANCELLED = 39,
  TG_PRODUCE = 40,
  TG_PRODUCED = 41,
  TG_FETCH = 42,
  TG_FETCHED = 43,
  TG_LIST_OFFSET = 44,
  TG_OFFSET_LISTED = 45,
  TG_COMMIT_OFFSET = 46,
  TG_FETCH_OFFSET = 47,
  TG_OFFSET_FETCHED = 48,
  TG_LEASE = 49,
  TG_TRANSACT = 50,
  TG_DEFINE = 51
} tg_member;

enum { TG_FRAME_HEADER_MAX = 10 };

typedef struct tg_frame {
  uint32_t member;      // field number in Link; a frame with an unknown one must be skipped
  const uint8_t *body;  // into the buffer that was split
  size_t body_size;
  size_t size;  // of the whole frame
} tg_frame;

typedef enum tg_split {
  TG_SPLIT_READY,      // *frame is filled
  TG_SPLIT_MORE,       // the buffer ends inside the frame; frame->size is the size of the whole frame, or 0 if the
                       // buffer ends inside its header
  TG_SPLIT_MALFORMED,  // not a frame: wrong wire type, member 0, an overlong varint, or a length above 2 GiB - 1
  TG_SPLIT_TOO_LARGE   // body above body_max; member and size are filled
} tg_split;

// Finds the first frame in `in`. Reads at most `size` bytes and keeps no state.
tg_split tg_frame_split(const uint8_t *in, size_t size, size_t body_max, tg_frame *frame);

// Writes one frame to `out` and returns its size, or 0 if it does not fit. `fields` is the message's descriptor, such
// as tg_Hello_fields. Lists are stepped through once.
size_t tg_frame_encode(uint8_t *out, size_t capacity, tg_member member, const pb_msgdesc_t *fields,
                       const void *message);

// Decodes a frame's body into the message's struct. The caller passes the struct zeroed, with its lists set up: absent
// fields stay as they were. Views point into the body. Returns false if the body is malformed.
bool tg_frame_decode(const tg_frame *frame, const pb_msgdesc_t *fields, void *message);

#ifdef __cplusplus
}
#endif
