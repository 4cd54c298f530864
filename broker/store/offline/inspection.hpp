// Looks at every row of a store and at everything in it, without changing anything: `tidegate store check`.
//
// A damaged file can do anything to LMDB, which believes the page numbers it finds, a crash included. Who inspects a
// file that may be damaged does it in a process of its own (isolation.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/store/offline/overview.hpp"

namespace tidegate::store::offline {

enum class severity {
  note,          // as it may be: what a start or the next commits tidy up
  inconsistent,  // what is stored can be read and a start goes on, but something does not add up
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
  std::optional<store_identity> identity;  // none: its rows are damaged
  std::optional<store_overview> overview;  // none: a start would fail
  std::vector<finding> findings;           // the first of them, findings_max at most
  std::uint64_t notes = 0, inconsistencies = 0, damages = 0;

  severity verdict() const {
    return damages > 0 ? severity::damaged : inconsistencies > 0 ? severity::inconsistent : severity::note;
  }
};

// A store of which every row is damaged must not fill the memory.
constexpr std::size_t findings_max = 1'000;

// Told while it goes on.
class inspection_listener {
 public:
  virtual ~inspection_listener() = default;
  // The row that is looked at next comes behind the one named; `done` of `total` bytes, roughly.
  virtual void at(std::string_view place, std::uint64_t done, std::uint64_t total) = 0;
  virtual void found(const finding& finding) = 0;
};

// `listener` may be null.
inspection inspect(offline_store& store, inspection_listener* listener = nullptr);

}  // namespace tidegate::store::offline
