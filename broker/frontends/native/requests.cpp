// The application's requests about lists, topics and groups.
#include <fmt/format.h>

#include <algorithm>

#include "broker/frontends/native/application.hpp"
#include "broker/frontends/native/listing.hpp"

namespace tidegate::native {
namespace {

constexpr std::int64_t timestamp_end = -1;
constexpr std::int64_t timestamp_start = -2;
constexpr std::uint32_t fetch_wait_ms_max = 30'000;

error does_not_decode(std::string_view what) { return {errc::invalid, fmt::format("{} does not decode", what)}; }

}  // namespace

void application::list(const tg_frame& frame) {
  tg_List list{};
  if (!tg_frame_decode(&frame, tg_List_fields, &list)) return session_.fail(does_not_decode("List"));
  const auto page = listing({view_of(list.kind), view_of(list.after), list.max_bytes}, session_.owner());
  if (!page) return session_.refuse(list.correlation, page.error());
  const tg_Listed listed{list.correlation, bytes_of(page->json), bytes_of(page->next)};
  append_frame(session_.answers(), TG_LISTED, tg_Listed_fields, &listed, page->json.size() + page->next.size());
  session_.wake();
}

void application::produce(const tg_frame& frame) {
  tg_Produce produce{};
  if (!tg_frame_decode(&frame, tg_Produce_fields, &produce)) return session_.fail(does_not_decode("Produce"));
  const auto receipt = receipt_for({produce.correlation, TG_PRODUCED});
  const auto base =
      core_.publishing.produce(view_of(produce.topic), produce.partition, view_of(produce.batch), receipt);
  if (base) {
    requests_[receipt.token].number = *base;
    return;
  }
  requests_.erase(receipt.token);
  session_.refuse(produce.correlation, base.error());
}

void application::fetch(const tg_frame& frame) {
  tg_Fetch fetch{};
  if (!tg_frame_decode(&frame, tg_Fetch_fields, &fetch)) return session_.fail(does_not_decode("Fetch"));
  const std::size_t bytes_max =
      fetch.max_bytes == 0 ? limits::fetch_bytes_max : std::min<std::size_t>(fetch.max_bytes, limits::fetch_bytes_max);
  const milliseconds wait{std::min(fetch.max_wait_ms, fetch_wait_ms_max)};
  waiting_fetch waiting{fetch.correlation,
                        fetch.partition,
                        std::string(view_of(fetch.topic)),
                        std::string(view_of(fetch.topic_id)),
                        fetch.offset,
                        std::clamp<std::size_t>(fetch.min_bytes, 1, bytes_max),
                        bytes_max,
                        session_.now() + wait};
  if (try_fetch(waiting, wait.count() == 0)) return;
  // Another topic may take the name while the fetch waits.
  waiting.topic_id = core_.inspecting.find_topic(waiting.topic)->definition().uuid;
  if (fetches_.size() >= limits::fetches_waiting) {
    return session_.refuse(
        fetch.correlation,
        {errc::limit, fmt::format("{} waiting fetches on one connection are the limit", limits::fetches_waiting)});
  }
  fetches_.push_back(std::move(waiting));
  session_.wake();
}

// Returns whether the fetch was answered. Otherwise changed() or the deadline follows.
bool application::try_fetch(waiting_fetch& fetch, bool due) {
  fetch.look = false;
  if (!due && still_too_little(fetch)) return false;
  const auto fetched =
      core_.reading.fetch({fetch.topic, fetch.topic_id}, fetch.partition, fetch.offset, fetch.bytes_max);
  if (!fetched) {
    session_.refuse(fetch.correlation, fetched.error());
    return true;
  }
  const bool enough = fetched->batches.size() >= fetch.bytes_min || fetched->more;
  if (!enough && !due && !fetched->out_of_range) {
    fetch.counted = fetched->batches.size();
    fetch.counted_end = fetched->high_watermark;
    fetch.stream = core_.reading.watch(session_.id(), {fetch.topic, fetch.topic_id}, fetch.partition).value();
    return false;
  }
  const tg_Fetched answer{fetch.correlation, fetched->out_of_range ? tg_Code_OUT_OF_RANGE : tg_Code_OK,
                          fetched->log_start, fetched->high_watermark, bytes_of(fetched->batches)};
  append_frame(session_.answers(), TG_FETCHED, tg_Fetched_fields, &answer, fetched->batches.size());
  session_.wake();
  return true;
}

// Reads only new records, so that waiting for many bytes does not read the first ones again at every commit.
bool application::still_too_little(waiting_fetch& fetch) {
  if (fetch.counted == 0) return false;
  const auto added =
      core_.reading.fetch({fetch.topic, fetch.topic_id}, fetch.partition, fetch.counted_end, fetch.bytes_max);
  if (!added || added->out_of_range || added->more || added->log_start > fetch.offset) return false;
  fetch.counted += added->batches.size();
  fetch.counted_end = added->high_watermark;
  if (fetch.counted >= fetch.bytes_min) return false;
  fetch.stream = core_.reading.watch(session_.id(), {fetch.topic, fetch.topic_id}, fetch.partition).value();
  return true;
}

void application::changed(stream_id stream) {
  for (waiting_fetch& fetch : fetches_) fetch.look |= fetch.stream == stream;
}

void application::answer_fetches(milliseconds now) {
  for (auto fetch = fetches_.begin(); fetch != fetches_.end() && session_.has_room();) {
    const bool due = fetch->until <= now;
    const bool is_answered = (fetch->look || due) && try_fetch(*fetch, due);
    fetch = is_answered ? fetches_.erase(fetch) : std::next(fetch);
  }
}

milliseconds application::deadline() const {
  milliseconds next = milliseconds::max();
  for (const waiting_fetch& fetch : fetches_) next = std::min(next, fetch.until);
  return next;
}

void application::list_offset(const tg_frame& frame) {
  tg_ListOffset list{};
  if (!tg_frame_decode(&frame, tg_ListOffset_fields, &list)) return session_.fail(does_not_decode("ListOffset"));
  const core::api::topic_name topic(view_of(list.topic), view_of(list.topic_id));
  const auto range = core_.reading.range(topic, list.partition);
  if (!range) return session_.refuse(list.correlation, range.error());
  offset_t offset = list.timestamp_ms == timestamp_start ? range->log_start : range->high_watermark;
  if (list.timestamp_ms >= 0) {
    const auto found = core_.reading.find_time(topic, list.partition, list.timestamp_ms);
    if (!found) return session_.refuse(list.correlation, found.error());
    offset = *found;
  } else if (list.timestamp_ms < timestamp_start) {
    return session_.refuse(
        list.correlation,
        {errc::invalid, "a timestamp is Unix ms, -1 for the end or -2 for the start", "timestamp_ms"});
  }
  const tg_OffsetListed answer{list.correlation, offset, range->log_start, range->high_watermark};
  append_frame(session_.answers(), TG_OFFSET_LISTED, tg_OffsetListed_fields, &answer, 0);
  session_.wake();
}

void application::commit_offset(const tg_frame& frame) {
  tg_CommitOffset commit{};
  if (!tg_frame_decode(&frame, tg_CommitOffset_fields, &commit)) return session_.fail(does_not_decode("CommitOffset"));
  const auto receipt = receipt_for({commit.correlation});
  conclude(receipt, commit.correlation,
           core_.grouping.commit_offset(view_of(commit.group), {view_of(commit.topic), view_of(commit.topic_id)},
                                        commit.partition, commit.offset, view_of(commit.metadata), receipt));
}

void application::fetch_offset(const tg_frame& frame) {
  tg_FetchOffset fetch{};
  if (!tg_frame_decode(&frame, tg_FetchOffset_fields, &fetch)) return session_.fail(does_not_decode("FetchOffset"));
  const auto committed =
      core_.grouping.committed(view_of(fetch.group), {view_of(fetch.topic), view_of(fetch.topic_id)}, fetch.partition);
  if (!committed) return session_.refuse(fetch.correlation, committed.error());
  tg_OffsetFetched answer{};
  answer.correlation = fetch.correlation;
  if (const auto& state = *committed) {
    answer.found = true;
    answer.offset = state->offset;
    answer.metadata = bytes_of(state->metadata);
  }
  append_frame(session_.answers(), TG_OFFSET_FETCHED, tg_OffsetFetched_fields, &answer, answer.metadata.size);
  session_.wake();
}

// A lease is not written: the answer waits for no commit.
void application::lease(const tg_frame& frame) {
  tg_Lease lease{};
  if (!tg_frame_decode(&frame, tg_Lease_fields, &lease)) return session_.fail(does_not_decode("Lease"));
  const std::string holder = session_.description();
  const auto leased =
      core_.sessions.lease(session_.id(), {view_of(lease.name), view_of(lease.owner), holder, lease.take_over});
  if (!leased) return session_.refuse(lease.correlation, leased.error());
  answer_done({lease.correlation});
}

}  // namespace tidegate::native
