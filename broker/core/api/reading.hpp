// Reads topics: records from an offset on, the range of offsets, and notices of new records.
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
  bool more = false;  // records were left out because of bytes_max
  bool out_of_range = false;
};

class reading {
 public:
  // Reads the loss ledger, to know damage that was reported before.
  reading(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, notices& notices);

  // Returns whole batches from the one that holds the offset; the first one however large. If the offset is outside the
  // retained range, returns out_of_range with that range. Damaged batches are skipped and recorded in the loss ledger.
  // Errors of all calls: no such topic or partition; the name is another topic's by now; the store cannot be read.
  result<fetched> fetch(const topic_name& topic, std::uint32_t partition, offset_t offset, std::size_t bytes_max);
  // The same without records.
  result<fetched> range(const topic_name& topic, std::uint32_t partition) const;
  result<offset_t> find_time(const topic_name& topic, std::uint32_t partition, std::int64_t timestamp_ms) const;
  // Reports the partition's next change to the session, once, as changed() of the stream that is returned.
  result<stream_id> watch(session_id session, const topic_name& topic, std::uint32_t partition);

  // Counts watches: pairs of session and partition.
  std::size_t watches() const;

  // Call when the partition has new records or is gone.
  void wake(stream_id stream);
  // Call when the session has ended.
  void end(session_id session);

 private:
  void lose(std::string_view topic, stream_id stream, offset_range damaged);

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  notices& notices_;
  boost::unordered_flat_map<stream_id, std::set<session_id>> watchers_;
  std::map<std::pair<stream_id, offset_t>, offset_t>
      known_damage_;  // stream and end of damage that was reported: its start
};

}  // namespace tidegate::core::api
