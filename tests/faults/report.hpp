// What a program of the fault programme prints in the end: a table for people, or one JSON object. A run that proves
// nothing is void, and says so.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tidegate::faults {

constexpr std::uint64_t confirmed_min = 100;

class report {
 public:
  report(std::string program, bool json) : program_(std::move(program)), json_(json) {}
  void add(std::string name, std::uint64_t figure) { figures_.emplace_back(std::move(name), figure); }
  void add_failure(std::string text) { failures_.push_back(std::move(text)); }
  // Void, unless so many messages were confirmed, and as many faults made as were planned.
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

// On one line of the terminal, if there is one.
void show_progress(const std::string& text);

// A directory for files that are gone in the end, in memory where there is such a place; or one that stays.
class scratch_place {
 public:
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
