#include "broker/core/api/inspecting.hpp"

#include <algorithm>
#include <charconv>

namespace tidegate::core::api {
namespace {

// Makes the row of a loss that names its source itself, because the source is no existing queue or topic.
loss_row named_by_source(store::loss_number number, const store::loss_record& record) {
  const std::string& source = record.source;
  switch (record.reason) {
    case store::loss_reason::device: return {number, "device", source, 0, record};
    case store::loss_reason::deleted: {
      const std::size_t slash = source.rfind('/');
      std::uint32_t partition = 0;
      std::from_chars(source.data() + std::min(slash + 1, source.size()), source.data() + source.size(), partition);
      return {number, "topic", source.substr(0, slash), partition, record};
    }
    default: return {number, "store", source, 0, record};
  }
}

}  // namespace

inspecting::inspecting(const store::store& store, const clock& clock, const catalog::catalog& catalog,
                       commits::pipeline& commits, const groups::offsets& offsets, const transfer::intake& intake,
                       const api::consuming& consuming)
    : store_(store),
      clock_(clock),
      catalog_(catalog),
      commits_(commits),
      offsets_(offsets),
      intake_(intake),
      consuming_(consuming) {}

result<bool> inspecting::peek(const queues::queue& queue, queues::message_place& place,
                              const std::function<void(delivery_view&)>& take) const {
  const auto now_ms = static_cast<std::uint64_t>(commits_.timeline().lifetime().count());
  return queue.peek(place, store_.read(), now_ms, take);
}

status inspecting::status() const {
  return {store_now(), messages_now(), commits_now(), flash_now(), commits_.timeline().is_wall_trusted()};
}

store_status inspecting::store_now() const {
  const auto& pages = store_.pages();
  const auto& memory = store_.in_memory().use();
  return {std::string(store_.start().incarnation),
          store_.is_full(),
          commits_.timeline().now().lifetime,
          pages.used_pages * pages.page_bytes,
          pages.map_pages * pages.page_bytes,
          commits_.figures().journal_bytes,
          memory.bytes,
          memory.bytes_max,
          memory.dropped,
          store_.stuck_reader() ? store_.stuck_reader()->pid : 0};
}

message_status inspecting::messages_now() const {
  const auto& in = intake_.counts();
  const auto& out = consuming_.counts();
  const auto& replies = consuming_.replies().counts();
  return {in.published,     in.duplicates,    in.unroutable,        in.refused_full, in.refused_overflow, out.delivered,
          out.acknowledged, in.dead_lettered, in.clock_corrections, replies.sent,    replies.dropped};
}

commit_status inspecting::commits_now() const {
  const commits::pace& pace = commits_.pace();
  const auto& options = pace.options();
  const auto lately = pace.lately();
  return {options.profile,
          options.linger,
          pace.linger_in_force(),
          options.linger_max,
          options.per_second_max,
          commits_.figures().commits,
          commits_.figures().bytes_written,
          lately.per_second,
          lately.wait_mean_ms,
          lately.wait_max};
}

flash_status inspecting::flash_now() const {
  commits::flash_account& flash = commits_.pace().flash();
  flash.measure();
  return {flash.since_start(),
          flash.today(),
          flash.since_made(),
          flash.per_day(),
          std::string(commits_.pace().budget_state()),
          commits_.pace().options().budget_bytes_per_day};
}

std::vector<queue_row> inspecting::list_queues(std::string_view after, std::size_t rows_max) const {
  std::vector<queue_row> rows;
  const auto& all = catalog_.queues().all();
  for (auto found = all.upper_bound(after); found != all.end() && rows.size() < rows_max; ++found) {
    const auto& queue = found->second;
    const auto figures = queue->figures();
    const auto* const stream = store_.read().find(queue->stream());
    rows.push_back({&queue->definition(), queue->ready(), figures.ready_bytes, figures.unsettled,
                    queue->consumers().size(), stream == nullptr ? 0 : stream->bytes, figures.discarded,
                    stream == nullptr ? store::drop_totals{} : stream->drops, queue->owner() != session_id{}});
  }
  return rows;
}

std::vector<topic_row> inspecting::list_topics(std::string_view after, std::size_t rows_max) const {
  std::vector<topic_row> rows;
  const auto& all = catalog_.topics().all();
  for (auto found = all.upper_bound(after); found != all.end() && rows.size() < rows_max; ++found) {
    const auto& topic = found->second;
    topic_row& row = rows.emplace_back(topic_row{&topic->definition(), {}});
    for (const topics::partition& partition : topic->partitions()) {
      const auto* const stream = store_.read().find(partition.stream);
      row.partitions.push_back(stream == nullptr
                                   ? partition_row{}
                                   : partition_row{stream->log_start, stream->end, stream->bytes, stream->drops});
    }
  }
  return rows;
}

// Adds the name of the stream's queue or topic. If no queue or topic has this stream, it has been deleted.
loss_row inspecting::owned(store::loss_number number, const store::loss_record& record) const {
  if (!record.source.empty()) return named_by_source(number, record);
  if (const queues::queue* const queue = catalog_.queues().find(record.stream)) {
    return {number, "queue", queue->name(), 0, record};
  }
  if (const topics::partition* const partition = catalog_.topics().find(record.stream)) {
    return {number, "topic", partition->owner->definition().name, partition->number, record};
  }
  return {number, {}, {}, 0, record};
}

result<std::vector<loss_row>> inspecting::list_losses(store::loss_number after, std::size_t rows_max) const {
  const auto losses = store_.read().losses(after, rows_max);
  if (!losses) return losses.error();
  std::vector<loss_row> rows;
  for (const auto& [number, record] : *losses) rows.push_back(owned(number, record));
  return rows;
}

std::vector<group_row> inspecting::list_groups(const group_place& after, std::size_t rows_max) const {
  std::vector<group_row> rows;
  const auto& all = catalog_.topics().all();
  for (auto found = all.lower_bound(after.topic); found != all.end(); ++found) {
    const auto& [name, topic] = *found;
    const bool is_inside = name == after.topic;
    for (std::uint32_t number = is_inside ? after.partition : 0; number < topic->partitions().size(); ++number) {
      const stream_id stream = topic->partitions()[number].stream;
      const auto* const view = store_.read().find(stream);
      const offset_t end = view == nullptr ? 0 : view->end, log_start = view == nullptr ? 0 : view->log_start;
      const bool is_begun = is_inside && number == after.partition;
      offsets_.each(stream, is_begun ? after.group : std::string(), [&](const groups::offsets::place& place) {
        if (rows.size() >= rows_max) return false;
        const std::uint64_t lag = end - std::min(end, std::max(place.offset, log_start));
        rows.push_back({std::string(place.group), name, number, place.offset, lag});
        return true;
      });
      if (rows.size() >= rows_max) return rows;
    }
  }
  return rows;
}

}  // namespace tidegate::core::api
