// A buffer for bytes that were read from the socket and are not yet decoded. The buffer grows only after it was full,
// so its size follows the bytes that arrived and never a length that a peer merely announced.
//
//   | consumed | unread .............. | free room |
//   0          begin_                  end_         bytes_.size()
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "broker/base/limits.hpp"

namespace tidegate::client {

class receive_buffer {
 public:
  static constexpr std::size_t least_bytes = 4 * limits::kib;

  // Creates a buffer of at most size_max bytes. The largest frame is enough for a caller that consumes every complete
  // frame.
  explicit receive_buffer(std::size_t size_max) : size_max_(size_max), bytes_(std::min(size_max, least_bytes), '\0') {}

  // Returns the room for the next read; empty only if size_max bytes are unread. Invalidates views of unread bytes.
  std::span<char> room() {
    if (begin_ > 0) make_front();
    const bool too_small = end_ == bytes_.size() || (was_full_ && bytes_.size() < stream_bytes);
    if (too_small) bytes_.resize(std::min(size_max_, bytes_.size() * 2));
    return {bytes_.data() + end_, bytes_.size() - end_};
  }
  // Adds the first `size` bytes of room() to the unread bytes.
  void filled(std::size_t size) {
    end_ += size;
    was_full_ = end_ == bytes_.size();
  }

  // Returns the unread bytes; valid until the next call of room().
  std::string_view unread() const { return std::string_view(bytes_).substr(begin_, end_ - begin_); }
  void consume(std::size_t size) { begin_ += size; }

 private:
  // Enough for a stream of small frames: one system call for every few frames would cost more than the frames do.
  static constexpr std::size_t stream_bytes = 64 * limits::kib;

  // Moves less than one frame, because complete frames have been consumed.
  void make_front() {
    std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_), bytes_.begin() + static_cast<std::ptrdiff_t>(end_),
              bytes_.begin());
    end_ -= begin_;
    begin_ = 0;
  }

  std::size_t size_max_;
  std::string bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool was_full_ = false;
};

}  // namespace tidegate::client
