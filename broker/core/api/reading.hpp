// Reading: fetches records of topics from an offset on, returns the range of offsets, and watches for new records.
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
  std::string batches;        // record batches v2, one after the other
  bool more = false;          // batches were left out because of bytes_max
  bool out_of_range = false;  // the offset is outside of [log_start, high_watermark]
};

class reading {
 public:
  // Loads known damage from the loss ledger, so that damage is recorded only once.
  reading(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, notices& notices);

  // Errors of all calls: no such topic or partition; the name now belongs to another topic; the store cannot be read.

  // Returns whole batches from the one that holds the offset on, up to `bytes_max`; the first is returned however
  // large. An offset outside of the retained range is reported as out_of_range, with the valid range. Damaged batches
  // are skipped and recorded in the loss ledger.
  result<fetched> fetch(const topic_name& topic, std::uint32_t partition, offset_t offset, std::size_t bytes_max);
  // Returns the range of offsets only.
  result<fetched> range(const topic_name& topic, std::uint32_t partition) const;
  // Returns the first offset whose timestamp is at or after `timestamp_ms`; the end if there is none.
  result<offset_t> find_time(const topic_name& topic, std::uint32_t partition, std::int64_t timestamp_ms) const;
  // Asks for one changed() event at the partition's next change. Returns the stream that the event will name.
  result<stream_id> watch(session_id session, const topic_name& topic, std::uint32_t partition);

  // Returns the number of watches: a session counts once for each partition that it watches.
  std::size_t watches() const;

  // Notifies the sessions that watch the stream. Call when it has new records or was deleted.
  void wake(stream_id stream);
  // Removes the watches of a session that has ended.
  void end(session_id session);

 private:
  void lose(std::string_view topic, stream_id stream, offset_range damaged);

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  notices& notices_;
  boost::unordered_flat_map<stream_id, std::set<session_id>> watchers_;
  std::map<std::pair<stream_id, offset_t>, offset_t> known_damage_;  // (stream, end) of recorded damage -> its start
};

}  // namespace tidegate::core::api
