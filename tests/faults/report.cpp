#include "tests/faults/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <stdexcept>

namespace tidegate::faults {

void report::require_enough(std::uint64_t confirmed, std::uint64_t faults, std::uint64_t planned) {
  if (confirmed < confirmed_min) void_ = fmt::format("only {} messages were confirmed", confirmed);
  if (faults < planned) void_ = fmt::format("only {} of {} faults were made", faults, planned);
}

void report::print() const {
  if (::isatty(STDERR_FILENO) != 0) std::cerr << "\r\033[K";
  if (json_) {
    boost::json::object object{{"program", program_}, {"void", void_}};
    for (const auto& [name, figure] : figures_) object[name] = figure;
    object["failures"] = boost::json::array(failures_.begin(), failures_.end());
    std::cout << boost::json::serialize(object) << "\n";
    return;
  }
  for (const auto& [name, figure] : figures_) std::cout << fmt::format("{:<20}{:>12}\n", name, figure);
  for (const std::string& failure : failures_) std::cout << failure << "\n";
  if (is_void()) std::cout << "void: " << void_ << "\n";
}

void show_progress(const std::string& text) {
  if (::isatty(STDERR_FILENO) != 0) std::cerr << "\r\033[K" << text << std::flush;
}

scratch_place::scratch_place(const std::filesystem::path& keep) : path_(keep), stays_(!keep.empty()) {
  if (stays_) {
    std::filesystem::create_directories(path_);
    return;
  }
  const std::filesystem::path memory = "/dev/shm";
  const auto base = std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
  std::string name = (base / "tidegate-faults-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  path_ = name;
}

scratch_place::~scratch_place() {
  std::error_code ignored;
  if (!stays_) std::filesystem::remove_all(path_, ignored);
}

}  // namespace tidegate::faults
