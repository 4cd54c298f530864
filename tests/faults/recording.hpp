// A file written by the recorder (recorder.c) while a workload ran: all changes of the store's files in their order,
// with the workload's marks between them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::faults {

enum class store_part : std::uint8_t { tables, journal };  // data.mdb, journal.ring

struct event {
  // name: the file of the tables was renamed to its final name.
  enum class what { write, sync, size, name, mark } kind = what::write;
  store_part part = store_part::tables;
  bool synced = false;       // the write was on the disk when its call returned
  std::uint64_t offset = 0;  // offset of the write, or the new size
  std::string_view bytes;    // bytes of the write, or the text of the mark
};

class recording {
 public:
  // Reads the file. Ignores a last event that is cut off. Throws std::runtime_error if the file is missing or invalid.
  explicit recording(const std::filesystem::path& file);
  // The events' bytes are valid as long as the recording.
  const std::vector<event>& events() const { return events_; }

 private:
  std::string content_;
  std::vector<event> events_;
};

}  // namespace tidegate::faults
