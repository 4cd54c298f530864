#include <fmt/format.h>

#include "client/tool/command.hpp"
#include "client/tool/partitions.hpp"
#include "client/tool/rendering.hpp"

namespace tidegate::tool {

namespace json = boost::json;
using client::awaitable;

namespace {

// Returns the offset to which --set moves the group in this partition.
awaitable<offset_t> target_in(environment& environment, const offsets_arguments& arguments, const found_topic& topic,
                              std::uint32_t partition) {
  const offset_t to = co_await offset_at(environment.broker, topic, partition, *arguments.set);
  const auto range = co_await environment.broker.list_offset(topic.name, partition, client::timestamp_end, topic.id);
  if (to < range.log_start || to > range.high_watermark) {
    throw error_exception(
        {errc::out_of_range, fmt::format("offset {} of {} partition {} is outside of {} to {}", to, arguments.topic,
                                         partition, range.log_start, range.high_watermark)});
  }
  co_return to;
}

// All partitions are checked before the first is moved, so that a refusal moves none.
awaitable<void> move_group(environment& environment, const offsets_arguments& arguments, const found_topic& topic) {
  std::vector<offset_t> targets;
  for (const std::uint32_t partition : topic.partitions) {
    targets.push_back(co_await target_in(environment, arguments, topic, partition));
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    co_await environment.broker.commit_offset(arguments.group, topic.name, topic.partitions[i], targets[i], {},
                                              topic.id);
  }
}

awaitable<json::object> standing(environment& environment, const offsets_arguments& arguments, const found_topic& topic,
                                 std::uint32_t partition) {
  const auto range = co_await environment.broker.list_offset(topic.name, partition, client::timestamp_end, topic.id);
  json::object row{{"topic", arguments.topic},
                   {"partition", partition},
                   {"log_start", range.log_start},
                   {"high_watermark", range.high_watermark}};
  if (arguments.group.empty()) co_return row;
  const auto committed = co_await environment.broker.fetch_offset(arguments.group, topic.name, partition, topic.id);
  row["group"] = arguments.group;
  row["committed"] = committed ? json::value(committed->offset) : json::value();
  // A group whose offset is before the start can no longer read the records between the two.
  const offset_t stands = std::max(committed ? committed->offset : 0, range.log_start);
  row["lag"] = range.high_watermark - std::min(stands, range.high_watermark);
  co_return row;
}

}  // namespace

awaitable<int> show_offsets(environment& environment, const offsets_arguments& arguments) {
  json::array rows;
  const found_topic topic = co_await find_topic(environment.broker, arguments.topic, arguments.partition);
  if (arguments.set) co_await move_group(environment, arguments, topic);
  for (const std::uint32_t partition : topic.partitions) {
    rows.push_back(co_await standing(environment, arguments, topic, partition));
  }
  if (environment.json) {
    print_json(rows);
  } else {
    print(table(rows));
  }
  co_return exit_ok;
}

}  // namespace tidegate::tool
