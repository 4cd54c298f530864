// The report that a program of the fault programme prints at its end: a table for people, or one JSON object. A run
// that proves nothing is void, and its report says so.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tidegate::faults {

constexpr std::uint64_t confirmed_min = 100;  // a run that confirmed fewer messages proves nothing

class report {
 public:
  report(std::string program, bool json) : program_(std::move(program)), json_(json) {}
  void add(std::string name, std::uint64_t figure) { figures_.emplace_back(std::move(name), figure); }
  void add_failure(std::string text) { failures_.push_back(std::move(text)); }
  // Makes the report void if fewer than confirmed_min messages were confirmed, or fewer faults made than planned.
  void require_enough(std::uint64_t confirmed, std::uint64_t faults, std::uint64_t planned);
  bool is_void() const { return !void_.empty(); }
  void print() const;

 private:
  std::string program_;
  bool json_;
  std::vector<std::pair<std::string, std::uint64_t>> figures_;
  std::vector<std::string> failures_;
  std::string void_;
};

// Replaces the progress line on the terminal; does nothing if standard error is no terminal.
void show_progress(const std::string& text);

// A new directory that the destructor removes with its files, in memory (/dev/shm) if there is such a place.
class scratch_place {
 public:
  // `keep`: uses this directory instead and does not remove it; empty = a new one.
  explicit scratch_place(const std::filesystem::path& keep = {});
  scratch_place(const scratch_place&) = delete;
  scratch_place& operator=(const scratch_place&) = delete;
  ~scratch_place();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  bool stays_;
};

}  // namespace tidegate::faults
