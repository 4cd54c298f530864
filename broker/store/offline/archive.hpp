// The archive: a store's whole content as one stream of bytes that is the same on every machine, whatever its word or
// page size. This is the container; exporting.hpp and importing.hpp fill and empty it.
//
//   magic "TGA1" | version u32 | sections | the last of which is `end`
//
// A section: type u8, length u32, body, CRC-32C u32 of type, length and body, going on from the CRC of the section
// before. So a section that was lost, doubled or moved is found like a flipped bit.
#pragma once

#include <cstdint>
#include <istream>
#include <ostream>
#include <string>
#include <string_view>

namespace tidegate::store::offline {

constexpr std::uint32_t archive_version = 2;
constexpr std::uint32_t archive_version_min = 1;  // it can be read

// Longer than any section needs to be; what a damaged length can make a reader allocate.
constexpr std::size_t archive_section_bytes_max = 4 << 20;

enum class section_type : std::uint8_t {
  header = 'H',
  fact = 'F',
  loss = 'L',
  stream = 'S',  // what follows, down to the next one, is this stream's
  block = 'B',
  batch = 'R',
  end = 'E',
  // Of version 1, in the place of facts.
  meta = 'M',
  definition = 'D',
  producer = 'P',
  cursor = 'C',
};

class archive_writer {
 public:
  // Throws storage_failure, as all of it, when the bytes cannot be written.
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
  std::uint64_t at = 0;  // where it begins in the archive
};

class archive_reader {
 public:
  // Throws storage_failure, as all of it, on what is no archive, or is damaged or cut short; the text names the byte.
  explicit archive_reader(std::istream& in);
  // The next section; to be called until it was `end`.
  archive_section next();
  // Behind `end`: nothing may follow.
  void finish();
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::string take(std::size_t size);

  std::istream& in_;
  std::uint32_t crc_ = 0;
  std::uint64_t bytes_ = 0;
};

[[noreturn]] void fail_archive(std::uint64_t at, std::string_view what);

}  // namespace tidegate::store::offline
