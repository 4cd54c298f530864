// Reading topics: records from an offset on, the range there is, and waiting for more.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "broker/core/api/notices.hpp"
#include "broker/core/catalog/catalog.hpp"

namespace tidegate::core::api {

using catalog::topic_name;

struct fetched {
  offset_t log_start = 0;
  offset_t high_watermark = 0;
  std::string batches;
  bool more = false;  // were left out, for the size
  bool out_of_range = false;
};

class reading {
 public:
  // Knows what the loss ledger tells of damage that was met before.
  reading(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, notices& notices);

  // Whole batches from the one that holds the offset; the first however large. An offset outside of what is retained
  // comes back as out_of_range with the valid range. Damaged batches are passed over, and stand in the loss ledger.
  // Errors, of all calls: no such topic or partition; the name is another topic's by now; the store cannot be read.
  result<fetched> fetch(const topic_name& topic, std::uint32_t partition, offset_t offset, std::size_t bytes_max);
  // The same without records.
  result<fetched> range(const topic_name& topic, std::uint32_t partition) const;
  result<offset_t> find_time(const topic_name& topic, std::uint32_t partition, std::int64_t timestamp_ms) const;
  // The next change of the partition is told to the session, once, as that of this stream.
  result<stream_id> watch(session_id session, const topic_name& topic, std::uint32_t partition);

  // Sessions that wait for a change, each for each partition.
  std::size_t watches() const;

  // The partition has new records, or is gone.
  void wake(stream_id stream);
  // The session has ended.
  void end(session_id session);

 private:
  void lose(std::string_view topic, stream_id stream, offset_range damaged);

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  notices& notices_;
  boost::unordered_flat_map<stream_id, std::set<session_id>> watchers_;
  std::map<std::pair<stream_id, offset_t>, offset_t> known_damage_;  // stream and end of what was told: its begin
};

}  // namespace tidegate::core::api
