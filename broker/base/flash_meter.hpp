// Bytes that this process had written to storage, by the kernel's count. So LMDB's pages, the growth of files and the
// log are included. What the flash writes in addition (its own erase blocks) cannot be seen from here.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate {

class flash_meter {
 public:
  virtual ~flash_meter() = default;
  // Since the start of the process; none if it cannot be measured.
  virtual std::optional<std::uint64_t> bytes_written() const = 0;
};

// Linux counts a page when it becomes dirty (write_bytes in proc(5)). Pages of a RAM disk are not counted. If the file
// system keeps large folios (ext4 since Linux 6.16, XFS since 5.18), a small write into one counts as the whole folio:
// the figure is an upper bound then, several times what reaches the disk.
//
// Keeps the file open, so that it can be read when no descriptor is left.
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

// Returns the number of the write_bytes line in the text of such a file; none if there is no such line or number.
std::optional<std::uint64_t> write_bytes_in(std::string_view text);

}  // namespace tidegate
