// Bytes in several places of a mapped file that belong together, as the rows of a chunk do. Copied only on request, so
// that a machine with less memory than the store can salvage it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::store::offline {

class scattered_bytes {
 public:
  scattered_bytes() = default;
  explicit scattered_bytes(std::string_view piece) { add(piece); }

  void add(std::string_view piece) {
    if (!piece.empty()) pieces_.push_back(piece);
    size_ += piece.size();
  }
  std::size_t size() const { return size_; }
  // Returns the bytes in one piece.
  std::string text() const {
    std::string whole;
    whole.reserve(size_);
    for (const std::string_view piece : pieces_) whole.append(piece);
    return whole;
  }
  // Returns `size` bytes from `at` on, which must lie within.
  scattered_bytes part(std::size_t at, std::size_t size) const {
    scattered_bytes out;
    for (const std::string_view piece : pieces_) {
      const std::size_t skipped = std::min(at, piece.size());
      out.add(piece.substr(skipped, size - out.size()));
      at -= skipped;
    }
    return out;
  }

 private:
  std::vector<std::string_view> pieces_;
  std::size_t size_ = 0;
};

}  // namespace tidegate::store::offline
