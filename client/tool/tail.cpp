#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "broker/base/limits.hpp"
#include "broker/model/compression.hpp"
#include "broker/model/record_batch.hpp"
#include "client/tool/command.hpp"
#include "client/tool/partitions.hpp"
#include "client/tool/rendering.hpp"

namespace tidegate::tool {

namespace json = boost::json;
using client::awaitable;
using std::chrono::steady_clock;

namespace {

// Long polls end by themselves at this interval, which is far below the request's own timeout.
constexpr std::chrono::seconds poll_time{10};
constexpr std::chrono::seconds commit_interval{1};

class reading {
 public:
  reading(environment& environment, const tail_arguments& arguments)
      : environment_(environment), arguments_(arguments), tasks_(environment.executor, environment.interruption) {}

  awaitable<int> run();

 private:
  struct position {
    std::uint32_t partition = 0;
    offset_t next = 0;
    offset_t end = std::numeric_limits<offset_t>::max();  // where to stop without --follow
    offset_t committed = 0;
    steady_clock::time_point committed_at = {};
  };

  awaitable<void> begin(position& at);
  awaitable<void> follow(position& at);
  awaitable<void> read_to_ends();
  bool out_of_range(position& at, const client::fetched& fetched);
  void show_batches(position& at, std::string_view batches);
  void show_batch(position& at, const batch_view& batch);
  void show(const position& at, const record_view& record);
  bool passed_over(const position& at, const batch_view& batch, std::string_view why);
  void pass_gap(position& at, offset_t end);
  bool was_cut_short() const;
  awaitable<void> commit(position& at);
  bool enough() const { return arguments_.count && shown_ >= *arguments_.count; }

  environment& environment_;
  const tail_arguments& arguments_;
  task_group tasks_;
  found_topic topic_;
  std::deque<position> positions_;
  std::uint64_t shown_ = 0;
  bool complete_ = true;
};

awaitable<void> reading::begin(position& at) {
  client::connection& broker = environment_.broker;
  const auto range = co_await broker.list_offset(topic_.name, at.partition, client::timestamp_end, topic_.id);
  if (!arguments_.follow) at.end = range.high_watermark;
  std::optional<client::committed_offset> group;
  if (!arguments_.group.empty())
    group = co_await broker.fetch_offset(arguments_.group, topic_.name, at.partition, topic_.id);
  if (group) {
    at.next = group->offset;
  } else {
    at.next = co_await offset_at(broker, topic_, at.partition, arguments_.from);
  }
  at.committed = group ? group->offset : std::numeric_limits<offset_t>::max();
}

awaitable<void> reading::follow(position& at) {
  while (at.next < at.end && !enough()) {
    client::fetch_request request;
    request.topic = topic_.name;
    request.topic_id = topic_.id;
    request.partition = at.partition;
    request.offset = at.next;
    if (arguments_.follow) request.max_wait = poll_time;
    const client::fetched fetched = co_await environment_.broker.fetch(request);
    if (out_of_range(at, fetched)) continue;
    if (fetched.batches.empty() && !arguments_.follow) {
      pass_gap(at, at.end);
      break;
    }
    show_batches(at, fetched.batches);
    if (steady_clock::now() - at.committed_at >= commit_interval) co_await commit(at);
  }
  if (enough()) tasks_.stop();
}

// Reports records that retention has dropped in the meantime, and skips them.
bool reading::out_of_range(position& at, const client::fetched& fetched) {
  if (!fetched.out_of_range) return false;
  const std::string where = fmt::format("{} partition {}", arguments_.topic, at.partition);
  if (at.next >= fetched.log_start) {
    throw error_exception({errc::out_of_range, fmt::format("offset {} of {} is beyond the end, {}", at.next, where,
                                                           fetched.high_watermark)});
  }
  remark(fmt::format("{}: offsets {} to {} are no longer retained", where, at.next, fetched.log_start - 1));
  at.next = fetched.log_start;
  return true;
}

void reading::show_batches(position& at, std::string_view batches) {
  while (!batches.empty() && !enough() && at.next < at.end) {
    const auto batch = read_batch(batches);
    if (!batch) throw error_exception(batch.error());
    show_batch(at, *batch);
    batches.remove_prefix(batch->bytes.size());
  }
}

bool reading::passed_over(const position& at, const batch_view& batch, std::string_view why) {
  remark(fmt::format("{} partition {}: offsets {} to {} are not shown: {}", arguments_.topic, at.partition,
                     batch.base_offset, batch.last_offset, why));
  complete_ = false;
  return true;
}

// Offsets have no gaps: the broker skips only damaged records and records that retention has dropped in the meantime.
void reading::pass_gap(position& at, offset_t end) {
  if (end <= at.next) return;
  remark(fmt::format("{} partition {}: offsets {} to {} are not shown: damaged or dropped, see tidegate list losses",
                     arguments_.topic, at.partition, at.next, end - 1));
  at.next = end;
  complete_ = false;
}

void reading::show_batch(position& at, const batch_view& batch) {
  if (batch.last_offset < at.next) return;
  pass_gap(at, std::min(batch.base_offset, at.end));
  const offset_t behind = batch.last_offset + 1;
  bool skipped = false;
  if (!crc_matches(batch)) skipped = passed_over(at, batch, "the batch is damaged, its CRC does not match");
  const auto records = skipped ? std::string() : decompress(batch, limits::opened_batch_bytes);
  if (!records) skipped = passed_over(at, batch, records.error().text);
  record_reader reader(records ? opened(batch, *records) : batch);
  record_view record;
  while (!skipped && !enough() && reader.next(record)) {
    if (record.offset < at.next || record.offset >= at.end) continue;
    show(at, record);
    at.next = record.offset + 1;
    ++shown_;
  }
  if (!skipped && reader.failed()) passed_over(at, batch, "its records are malformed");
  if (!enough()) at.next = behind;
}

void reading::show(const position& at, const record_view& record) {
  message_view message = to_message(record);
  if (message.is_time_estimated) message.headers.push_back({header_estimated, {}});
  if (!environment_.json) return print_line(message_line(message, record.timestamp_ms));
  json::object line{{"topic", arguments_.topic}, {"partition", at.partition}, {"offset", record.offset}};
  add_message(line, message, record.timestamp_ms);
  print_json(line);
}

awaitable<void> reading::commit(position& at) {
  if (arguments_.group.empty() || at.committed == at.next) co_return;
  const offset_t upto = at.next;
  co_await environment_.broker.commit_offset(arguments_.group, topic_.name, at.partition, upto, {}, topic_.id);
  at.committed = upto;
  at.committed_at = steady_clock::now();
}

awaitable<void> reading::read_to_ends() {
  for (position& at : positions_) co_await follow(at);
}

// An interrupt is the normal end of --follow, unless a count was given.
bool reading::was_cut_short() const {
  if (!environment_.interruption.happened() || enough()) return false;
  if (arguments_.follow) return arguments_.count.has_value();
  return std::any_of(positions_.begin(), positions_.end(), [](const position& at) { return at.next < at.end; });
}

awaitable<int> reading::run() {
  topic_ = co_await find_topic(environment_.broker, arguments_.topic, arguments_.partition);
  for (const std::uint32_t partition : topic_.partitions) {
    positions_.push_back({.partition = partition});
    co_await begin(positions_.back());
  }
  if (arguments_.follow) {
    for (position& at : positions_) tasks_.start(follow(at));
  } else {
    tasks_.start(read_to_ends());
  }
  co_await tasks_.finish();
  for (position& at : positions_) co_await commit(at);
  if (was_cut_short()) remark("interrupted before all was shown");
  co_return complete_ && !was_cut_short() ? exit_ok : exit_failure;
}

}  // namespace

awaitable<int> tail(environment& environment, const tail_arguments& arguments) {
  reading reading(environment, arguments);
  co_return co_await reading.run();
}

}  // namespace tidegate::tool
