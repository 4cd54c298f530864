// How much this process has had written to storage: the kernel's figure, so that what LMDB, the file's growth and the
// log add is in it. What the flash itself writes on top (its own erase blocks) nobody can see from here.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate {

class flash_meter {
 public:
  virtual ~flash_meter() = default;
  // Since the process began; none where it cannot be measured.
  virtual std::optional<std::uint64_t> bytes_written() const = 0;
};

// Linux counts a page when it becomes dirty (write_bytes in proc(5)). A RAM disk's pages are not counted. Where the
// file system keeps large folios (ext4 since Linux 6.16, XFS since 5.18) a small write into one counts as the whole
// folio: then the figure is an upper bound, several times what reaches the disk.
//
// Keeps the file open: it can be read when there are no descriptors left.
class kernel_flash_meter final : public flash_meter {
 public:
  explicit kernel_flash_meter(const char* path = "/proc/self/io");
  kernel_flash_meter(const kernel_flash_meter&) = delete;
  kernel_flash_meter& operator=(const kernel_flash_meter&) = delete;
  ~kernel_flash_meter() override;
  std::optional<std::uint64_t> bytes_written() const override;

 private:
  int file_;
};

// The write_bytes line of such a file.
std::optional<std::uint64_t> write_bytes_in(std::string_view text);

}  // namespace tidegate
