// The body of a generated message. It states who sent the message and when, and shows whether the message is whole.
//
//    0  magic "TGB1"
//    4  run        u32  number of the tool's run
//    8  publisher  u32  number of the publisher in the run, from 0
//   12  target     u32  the queue, topic or partition that the message is meant for
//   16  sequence   u64  number among the publisher's messages to the target, from 1
//   24  sent       u64  when the message was due to be sent: ns of this machine's steady clock
//   32  filler
//       CRC-32C    u32  of everything before; zero in a run that does not verify
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::tool::bench {

constexpr std::size_t stamped_bytes_min = 36;  // shorter bodies carry no stamp

struct stamp {
  std::uint32_t run = 0;
  std::uint32_t publisher = 0;
  std::uint32_t target = 0;
  std::uint64_t sequence = 0;
  std::uint64_t sent_ns = 0;
  friend bool operator==(const stamp&, const stamp&) = default;
};

class body_maker {
 public:
  // Bodies of `size` bytes; below stamped_bytes_min they carry no stamp. `seals`: they end with their CRC.
  body_maker(std::size_t size, bool seals);
  // Returns a body with this stamp; valid until the next call.
  std::string_view make(const stamp& stamp);

 private:
  std::string body_;
  bool seals_;
};

// Returns the body's stamp; none if this tool did not make the body.
std::optional<stamp> read_stamp(std::string_view body);
// Returns whether the CRC is right. Only for a body that has a stamp.
bool is_whole(std::string_view body);

}  // namespace tidegate::tool::bench
