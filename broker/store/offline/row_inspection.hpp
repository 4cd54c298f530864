// Checks rows of the small tables, first each by itself and then all of them against each other. A take function throws
// storage_failure if its row does not decode; other faults are reported to the finder.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "broker/store/blob.hpp"
#include "broker/store/books.hpp"
#include "broker/store/offline/catalog.hpp"
#include "broker/store/offline/inspection.hpp"

namespace tidegate::store::offline {

using finder = std::function<void(severity level, std::string where, std::string what)>;

class row_inspection {
 public:
  explicit row_inspection(finder find) : find_(std::move(find)) {}

  void take_meta(std::string_view key, std::string_view value);
  void take_definition(std::string_view key, std::string_view value);
  void take_state(std::string_view key, std::string_view value);
  // Decodes each entry of a blob. Throws store_damaged if one does not decode.
  static void take_blob(std::string_view blob);
  void take_loss(std::string_view key, std::string_view value);
  // Call after all rows. Compares them with the store as a start would find it, with the journal applied.
  void compare(const books& books, const contents& contents);

 private:
  void take_fact(const found_fact& fact);
  void take_block(stream_id stream, std::uint64_t block, std::string_view value);
  void compare_definitions(const books& books, const catalog& catalog);
  void compare_streams(const books& books);
  void compare_blocks();

  finder find_;
  std::map<stream_id, checkpoint> streams_;
  // By stream: the end of the offsets that its blocks call acknowledged or count.
  std::map<stream_id, offset_t> blocks_end_;
  std::map<stream_id, offset_t> blocks_covered_;  // the end of the offsets that its blocks cover, so far
  std::map<stream_id, std::uint64_t> facts_;
  std::set<std::string> meta_;
  std::optional<std::uint32_t> next_stream_;
  commit_number in_tables_ = 0;  // from the journal's row
};

}  // namespace tidegate::store::offline
