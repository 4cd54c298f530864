// The file of the journal's ring, mapped for reading and written in whole blocks:
//
//   | header | header | a lap: `capacity` bytes ... |
//   0        block    2 blocks
//
// A place in the ring is a position. Positions count up from lap to lap and never go back: position modulo capacity is
// the place in the lap. ring.hpp says what is in a lap, docs/store-format.md what is in a header.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/store/blob.hpp"
#include "broker/store/format.hpp"
#include "broker/store/new_file.hpp"

namespace tidegate::store {

constexpr std::uint64_t ring_bytes_min = 64 * 1024;

// Made with each ring. The tables name it, and no blob of another ring fits.
using ring_id = std::array<char, 16>;
ring_id new_ring_id();

constexpr std::uint64_t ring_block_bytes_min = 4'096;
constexpr std::uint64_t ring_block_bytes_max = 16'384;
constexpr std::uint64_t ring_header_slots = 2;  // blocks before the first lap

// A header, as one of the two is read from the file.
struct ring_header {
  std::uint32_t format = 0;  // may differ from this version's
  ring_id id{};
  std::uint64_t generation = 0;
  std::uint64_t file_bytes = 0;  // when the ring was made: the file may have been cut short since
  std::uint64_t block_bytes = 0;
};
// Returns the whole headers in a ring's bytes, at most two, newest first. Reads nothing outside of `file`.
std::vector<ring_header> read_ring_headers(std::string_view file);

// Returns the id of a ring's file; none if it cannot be opened or is not a ring.
std::optional<ring_id> ring_id_of(const std::filesystem::path& file);
// Call before making a store. Throws storage_failure if the directory has a journal that was used: making a store would
// replace it, and somebody may still put its tables back.
void check_no_journal_is_left(const std::filesystem::path& directory);

// Makes the file and replaces one that is there. `bytes`: size of the whole file, rounded down to whole blocks. Synced
// when it returns, except for its directory. Throws storage_failure.
void make_ring(const std::filesystem::path& file, std::uint64_t bytes, const ring_id& id, const fill_step& step);
// Returns how large a ring becomes that is made with so many bytes in this directory.
std::uint64_t ring_bytes_when_made(const std::filesystem::path& directory, std::uint64_t bytes);

enum class ring_access { read, write };

class ring_file {
 public:
  // Throws storage_failure if it cannot be opened, and store_damaged if it is missing, not a ring, or cut short.
  ring_file(const std::filesystem::path& file, ring_access access);
  ring_file(const ring_file&) = delete;
  ring_file& operator=(const ring_file&) = delete;
  ~ring_file();

  const ring_id& id() const { return id_; }
  bool is_writable() const { return is_writable_; }
  std::uint64_t bytes() const { return file_bytes_; }
  std::uint64_t block_bytes() const { return block_bytes_; }
  // Bytes of a lap.
  std::uint64_t capacity() const { return capacity_; }
  // Start value of each blob's CRC.
  std::uint32_t seed() const { return seed_; }
  // Number of starts. The tables have the same number, or one less if a start was cut short.
  std::uint64_t generation() const { return generation_; }
  // Synced when it returns.
  void write_generation(std::uint64_t generation);
  // The open file is the one at this path: it was not removed or replaced.
  bool is_at(const std::filesystem::path& file) const;

  std::uint64_t padded(std::size_t size) const { return (size + block_bytes_ - 1) / block_bytes_ * block_bytes_; }
  ring_position next_lap(ring_position position) const { return (position / capacity_ + 1) * capacity_; }
  std::uint64_t rest_of_lap(ring_position position) const { return capacity_ - position % capacity_; }

  // Returns bytes of the map, which do not wrap. The view shows what is written there later.
  std::string_view at(ring_position position, std::size_t size) const;
  // Writes without a sync. Throws storage_failure.
  void write(ring_position position, std::string_view bytes) const;
  void sync() const;
  // Removes the map's pages from this process; the kernel's cache may keep them.
  void release_pages() const;

 private:
  void open_header();

  std::filesystem::path path_;
  descriptor file_;
  bool is_writable_;
  const char* map_ = nullptr;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t block_bytes_ = 0;
  std::uint64_t capacity_ = 0;
  ring_id id_{};
  std::uint32_t seed_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace tidegate::store
