// What the recorder wrote down while a workload ran: all that reached the store's files, in order, and the workload's
// marks between.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::faults {

enum class store_part : std::uint8_t { tables, journal };  // data.mdb, journal.ring

struct event {
  enum class what { write, sync, size, name, mark } kind = what::write;
  store_part part = store_part::tables;
  bool synced = false;       // the write was through to the disk when its call returned
  std::uint64_t offset = 0;  // of the write; the new size
  std::string_view bytes;    // of the write; the mark's text
};

class recording {
 public:
  explicit recording(const std::filesystem::path& file);
  // The events' bytes live as long as the recording.
  const std::vector<event>& events() const { return events_; }

 private:
  std::string content_;
  std::vector<event> events_;
};

}  // namespace tidegate::faults
