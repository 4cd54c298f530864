// The archive: a store's whole content as one sequence of bytes, which is the same on every machine whatever its word
// or page size. This file has the container; exporting.hpp fills it and importing.hpp reads it.
//
//   magic "TGA1" | version u32 | sections | the last of which is `end`
//
// A section: type u8, length u32, body, CRC-32C u32 of type, length and body, which starts from the CRC of the section
// before. So a section that was lost, doubled or moved is detected the same way as a flipped bit.
#pragma once

#include <cstdint>
#include <istream>
#include <ostream>
#include <string>
#include <string_view>

namespace tidegate::store::offline {

constexpr std::uint32_t archive_version = 2;
constexpr std::uint32_t archive_version_min = 1;  // the oldest version that can be read

// Longer than any section. Bounds what a damaged length can make a reader allocate.
constexpr std::size_t archive_section_bytes_max = 4 << 20;

enum class section_type : std::uint8_t {
  header = 'H',
  fact = 'F',
  loss = 'L',
  stream = 'S',  // sections up to the next `stream` belong to this stream
  block = 'B',
  batch = 'R',
  end = 'E',
  // Version 1 had these instead of facts.
  meta = 'M',
  definition = 'D',
  producer = 'P',
  cursor = 'C',
};

class archive_writer {
 public:
  // Every function throws storage_failure if the bytes cannot be written.
  explicit archive_writer(std::ostream& out);
  void section(section_type type, std::string_view body);
  std::uint64_t bytes() const { return bytes_; }

 private:
  void write(std::string_view bytes);

  std::ostream& out_;
  std::uint32_t crc_ = 0;
  std::uint64_t bytes_ = 0;
};

struct archive_section {
  section_type type{};
  std::string body;
  std::uint64_t at = 0;  // place of the section's first byte in the archive
};

class archive_reader {
 public:
  // Every function throws storage_failure, which names the byte, if the input is no archive, or is damaged or cut
  // short.
  explicit archive_reader(std::istream& in);
  // Returns the next section. Call until it is `end`.
  archive_section next();
  // Call after `end`. Throws if anything follows.
  void finish();
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::string take(std::size_t size);

  std::istream& in_;
  std::uint32_t crc_ = 0;
  std::uint64_t bytes_ = 0;
};

// Throws storage_failure: the archive is damaged at byte `at`.
[[noreturn]] void fail_archive(std::uint64_t at, std::string_view what);

}  // namespace tidegate::store::offline
