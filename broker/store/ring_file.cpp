#include "broker/store/ring_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <boost/uuid/random_generator.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {
namespace {

constexpr std::uint32_t ring_magic = 0x54475247;  // "TGRG"
constexpr std::size_t header_bytes = 48;
constexpr mode_t file_mode = 0640;

storage_failure failed(std::string_view what, const std::filesystem::path& path, int cause) {
  return storage_failure(
      fmt::format("cannot {} {}: {}{}", what, path.string(), std::strerror(cause), lmdb::advice(cause)));
}

// Returns the device's own block size: a shorter write costs it as much, and may tear.
std::uint64_t block_bytes_at(const std::filesystem::path& directory) {
  struct stat about {};
  std::uint64_t block = 0;
  if (::stat(directory.c_str(), &about) == 0) {
    const std::string device = fmt::format("/sys/dev/block/{}:{}", major(about.st_dev), minor(about.st_dev));
    for (const char* const queue : {"/queue", "/../queue"}) {  // a disk has it, a partition's is its disk's
      if (std::ifstream(device + queue + "/physical_block_size") >> block) break;
    }
  }
  return std::clamp(block, ring_block_bytes_min, ring_block_bytes_max);
}

std::uint64_t whole_blocks(std::uint64_t bytes, std::uint64_t block) {
  return std::max(bytes, ring_bytes_min) / block * block;
}

std::string header_of(const ring_id& id, std::uint64_t generation, std::uint64_t file_bytes, std::uint64_t block) {
  std::string header;
  append_be(header, ring_magic);
  append_be(header, format_version);
  header.append(id.data(), id.size());
  append_be(header, generation);
  append_be(header, file_bytes);
  append_be(header, static_cast<std::uint32_t>(block));
  append_be(header, crc32c(header));
  header.resize(block, '\0');
  return header;
}

void write_at(int file, const std::filesystem::path& path, std::uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw failed("write", path, written < 0 ? errno : ENOSPC);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
}

void sync_file(int file, const std::filesystem::path& path) {
  if (::fdatasync(file) != 0) throw failed("sync", path, errno);
}

std::optional<ring_header> header_at(std::string_view file, std::uint64_t at) {
  if (at > file.size() || file.size() - at < header_bytes) return std::nullopt;
  const std::string_view bytes = file.substr(at, header_bytes);
  byte_reader reader(bytes);
  const auto magic = reader.be<std::uint32_t>();
  ring_header header;
  header.format = reader.be<std::uint32_t>();
  const std::string_view id = reader.take(header.id.size());
  std::copy(id.begin(), id.end(), header.id.begin());
  header.generation = reader.be<std::uint64_t>();
  header.file_bytes = reader.be<std::uint64_t>();
  header.block_bytes = reader.be<std::uint32_t>();
  const std::size_t covered = header_bytes - sizeof(std::uint32_t);
  if (magic != ring_magic || reader.be<std::uint32_t>() != crc32c(bytes.substr(0, covered))) return std::nullopt;
  const bool is_in_place = at == 0 || at == header.block_bytes;
  const bool is_possible = header.block_bytes >= ring_block_bytes_min && header.block_bytes <= ring_block_bytes_max &&
                           header.file_bytes >= ring_bytes_min;
  return is_in_place && is_possible ? std::optional(header) : std::nullopt;
}

}  // namespace

ring_id new_ring_id() {
  const auto made = boost::uuids::random_generator()();
  ring_id id;
  std::copy(made.begin(), made.end(), id.begin());
  return id;
}

// The second header is one block after the first. If the first is damaged, every length of a block is tried.
std::vector<ring_header> read_ring_headers(std::string_view file) {
  std::vector<ring_header> headers;
  const auto look = [&](std::uint64_t at) {
    if (const auto header = header_at(file, at)) headers.push_back(*header);
  };
  look(0);
  if (!headers.empty()) {
    look(headers.front().block_bytes);
  } else {
    for (std::uint64_t block = ring_block_bytes_min; block <= ring_block_bytes_max && headers.empty(); block *= 2)
      look(block);
  }
  std::stable_sort(headers.begin(), headers.end(),
                   [](const auto& one, const auto& other) { return one.generation > other.generation; });
  return headers;
}

std::optional<ring_id> ring_id_of(const std::filesystem::path& file) {
  try {
    return ring_file(file, ring_access::read).id();
  } catch (const storage_failure&) {
    return std::nullopt;
  }
}

void check_no_journal_is_left(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / journal_file;
  if (!std::filesystem::exists(file)) return;
  try {
    if (ring_file(file, ring_access::read).generation() == 0) return;  // of a first start that was interrupted
  } catch (const store_damaged&) {
    // Its content is not known.
  }
  throw storage_failure(
      fmt::format("{} is missing in {}, and its journal {} is there: put it back, or move the journal "
                  "away to start with an empty store",
                  store_file, directory.string(), journal_file));
}

std::uint64_t ring_bytes_when_made(const std::filesystem::path& directory, std::uint64_t bytes) {
  return whole_blocks(bytes, block_bytes_at(directory));
}

void make_ring(const std::filesystem::path& file, std::uint64_t bytes, const ring_id& id, const fill_step& step) {
  const std::uint64_t block = block_bytes_at(file.parent_path());
  const std::uint64_t file_bytes = whole_blocks(bytes, block);
  {
    const descriptor made(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, file_mode));
    if (made.number < 0) throw failed("make", file, errno);
    // A file system that copies on write could run out of room inside a ring of full size. It accepts the flag while
    // the file is empty; other file systems refuse it and do not need it.
    int flags = 0;
    if (::ioctl(made.number, FS_IOC_GETFLAGS, &flags) == 0) {
      flags |= FS_NOCOW_FL;
      [[maybe_unused]] const int ignored = ::ioctl(made.number, FS_IOC_SETFLAGS, &flags);
    }
    const std::string header = header_of(id, 0, file_bytes, block);
    for (std::size_t slot = 0; slot < ring_header_slots; ++slot) write_at(made.number, file, slot * block, header);
  }
  fill_with_zeros(file, file_bytes, "make room or lower store.journal_bytes_max", step);
}

ring_file::ring_file(const std::filesystem::path& file, ring_access access)
    : path_(file),
      file_(::open(file.c_str(), (access == ring_access::read ? O_RDONLY : O_RDWR) | O_CLOEXEC)),
      is_writable_(access == ring_access::write) {
  if (file_.number < 0 && errno == ENOENT) {
    throw store_damaged(
        fmt::format("the store is damaged: its journal {} is missing, and with it what was confirmed last; put it back "
                    "beside {}",
                    file.string(), store_file));
  }
  if (file_.number < 0) throw failed("open", file, errno);
  struct stat about {};
  if (::fstat(file_.number, &about) != 0) throw failed("look at", file, errno);
  file_bytes_ = static_cast<std::uint64_t>(about.st_size);
  if (file_bytes_ < ring_bytes_min) {
    throw store_damaged(
        fmt::format("the store is damaged: {} was cut short, it has {} bytes", file.string(), file_bytes_));
  }
  void* const map = ::mmap(nullptr, file_bytes_, PROT_READ, MAP_SHARED, file_.number, 0);
  if (map == MAP_FAILED) throw failed("map", file, errno);
  map_ = static_cast<const char*>(map);
  try {
    open_header();
  } catch (...) {
    ::munmap(map, file_bytes_);
    throw;
  }
}

ring_file::~ring_file() { ::munmap(const_cast<char*>(map_), file_bytes_); }

void ring_file::open_header() {
  const std::vector<ring_header> headers = read_ring_headers({map_, file_bytes_});
  if (headers.empty()) {
    throw store_damaged(fmt::format("the store is damaged: {} does not begin like a journal", path_.string()));
  }
  const ring_header& newest = headers.front();
  if (newest.format != format_version) {
    throw storage_failure(
        fmt::format("{} has format {}, this version reads format {}", path_.string(), newest.format, format_version));
  }
  if (file_bytes_ < newest.file_bytes) {
    throw store_damaged(fmt::format("the store is damaged: {} was cut short, it has {} of {} bytes", path_.string(),
                                    file_bytes_, newest.file_bytes));
  }
  id_ = newest.id;
  generation_ = newest.generation;
  block_bytes_ = newest.block_bytes;
  capacity_ = newest.file_bytes - ring_header_slots * block_bytes_;
  seed_ = crc32c({id_.data(), id_.size()});
}

void ring_file::write_generation(std::uint64_t generation) {
  const std::uint64_t bytes = capacity_ + ring_header_slots * block_bytes_;
  write_at(file_.number, path_, generation % ring_header_slots * block_bytes_,
           header_of(id_, generation, bytes, block_bytes_));
  sync();
  generation_ = generation;
}

bool ring_file::is_at(const std::filesystem::path& file) const {
  struct stat opened {};
  struct stat found {};
  return ::fstat(file_.number, &opened) == 0 && ::stat(file.c_str(), &found) == 0 && opened.st_dev == found.st_dev &&
         opened.st_ino == found.st_ino;
}

void ring_file::sync() const { sync_file(file_.number, path_); }

void ring_file::release_pages() const { ::madvise(const_cast<char*>(map_), file_bytes_, MADV_DONTNEED); }

std::string_view ring_file::at(ring_position position, std::size_t size) const {
  TIDEGATE_EXPECT(size <= rest_of_lap(position));
  return {map_ + ring_header_slots * block_bytes_ + position % capacity_, size};
}

void ring_file::write(ring_position position, std::string_view bytes) const {
  write_at(file_.number, path_, ring_header_slots * block_bytes_ + position % capacity_, bytes);
}

}  // namespace tidegate::store
