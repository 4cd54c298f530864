#include "broker/store/offline/archive.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/base/error.hpp"

namespace tidegate::store::offline {
namespace {

constexpr std::uint32_t archive_magic = 0x54474131;  // "TGA1"
constexpr std::size_t head_bytes = 5;
constexpr std::size_t crc_bytes = 4;

}  // namespace

void fail_archive(std::uint64_t at, std::string_view what) {
  throw storage_failure(
      fmt::format("the archive is damaged at byte {}: {}; export the store again, or take another "
                  "copy of the archive",
                  at, what));
}

archive_writer::archive_writer(std::ostream& out) : out_(out) {
  std::string head;
  append_be(head, archive_magic);
  append_be(head, archive_version);
  write(head);
}

void archive_writer::write(std::string_view bytes) {
  out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out_) throw storage_failure(fmt::format("cannot write the archive behind byte {}: is the disk full?", bytes_));
  bytes_ += bytes.size();
}

void archive_writer::section(section_type type, std::string_view body) {
  if (body.size() > archive_section_bytes_max) {
    throw storage_failure(fmt::format("something of {} bytes is longer than the {} that an archive takes", body.size(),
                                      archive_section_bytes_max));
  }
  std::string head(1, static_cast<char>(type)), tail;
  append_be(head, static_cast<std::uint32_t>(body.size()));
  crc_ = crc32c(body, crc32c(head, crc_));
  append_be(tail, crc_);
  write(head);
  write(body);
  write(tail);
}

archive_reader::archive_reader(std::istream& in) : in_(in) {
  const std::string head = take(sizeof archive_magic + sizeof archive_version);
  if (load_be<std::uint32_t>(head.data()) != archive_magic) {
    throw storage_failure("this is no archive of a store: tidegate store export writes one");
  }
  const auto version = load_be<std::uint32_t>(head.data() + sizeof archive_magic);
  if (version >= archive_version_min && version <= archive_version) return;
  throw storage_failure(
      fmt::format("the archive has version {}, this program reads versions {} to {}: use the version that "
                  "wrote it",
                  version, archive_version_min, archive_version));
}

std::string archive_reader::take(std::size_t size) {
  std::string bytes(size, '\0');
  in_.read(bytes.data(), static_cast<std::streamsize>(size));
  const auto got = static_cast<std::size_t>(in_.gcount());
  bytes_ += got;
  if (got != size) {
    throw storage_failure(
        fmt::format("the archive was cut short: it ends at byte {}, within a section; export "
                    "the store again, or take another copy of the archive",
                    bytes_));
  }
  return bytes;
}

archive_section archive_reader::next() {
  const std::uint64_t at = bytes_;
  const std::string head = take(head_bytes);
  const auto length = load_be<std::uint32_t>(head.data() + 1);
  if (length > archive_section_bytes_max) fail_archive(at, fmt::format("a section of {} bytes", length));
  archive_section section{static_cast<section_type>(head[0]), take(length), at};
  crc_ = crc32c(section.body, crc32c(head, crc_));
  if (load_be<std::uint32_t>(take(crc_bytes).data()) != crc_) fail_archive(at, "a section fails its CRC-32C");
  return section;
}

void archive_reader::finish() {
  if (in_.peek() != std::istream::traits_type::eof()) fail_archive(bytes_, "something follows its end");
}

}  // namespace tidegate::store::offline
