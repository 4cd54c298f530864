// Checks every row of a store and everything in it, without changing anything: `tidegate store check`.
//
// A damaged file can make LMDB do anything, a crash included, because LMDB trusts the page numbers that it finds.
// Inspect a file that may be damaged in a process of its own (isolation.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/store/offline/overview.hpp"

namespace tidegate::store::offline {

enum class severity {
  note,          // normal: a start or the next commits will tidy it up
  inconsistent,  // everything stored can be read and a start works, but something does not add up
  damaged,       // a start refuses it, or something stored cannot be read or is missing
};
std::string_view name(severity level);

struct finding {
  severity level = severity::note;
  std::string where;
  std::string what;
};

struct table_use {
  std::string name;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;  // of keys and values
};

struct inspection {
  lmdb::page_use pages;
  std::vector<table_use> tables;
  std::optional<store_identity> identity;  // none = its rows are damaged
  std::optional<store_overview> overview;  // none = a start would fail
  std::vector<finding> findings;           // the first ones, findings_max at most
  std::uint64_t notes = 0, inconsistencies = 0, damages = 0;

  severity verdict() const {
    return damages > 0 ? severity::damaged : inconsistencies > 0 ? severity::inconsistent : severity::note;
  }
};

// Most findings that are kept: a store whose every row is damaged must not fill the memory.
constexpr std::size_t findings_max = 1'000;

// Receives the progress of an inspection, and its findings.
class inspection_listener {
 public:
  virtual ~inspection_listener() = default;
  // Called before the row of this name, or another part of the store, is checked. If the process crashes, the fault is
  // there or in the row after it. `done` of `total` bytes, roughly.
  virtual void at(std::string_view place, std::uint64_t done, std::uint64_t total) = 0;
  virtual void found(const finding& finding) = 0;
};

// Checks the store. `listener` may be null.
inspection inspect(offline_store& store, inspection_listener* listener = nullptr);

}  // namespace tidegate::store::offline
