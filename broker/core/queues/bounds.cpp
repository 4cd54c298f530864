#include "broker/core/queues/bounds.hpp"

#include <fmt/format.h>

namespace tidegate::core::queues {
namespace {

// Most messages that keep() drops in one group. After a bound was lowered, later groups drop the rest.
constexpr std::uint64_t dropped_per_group = 65'536;

}  // namespace

bool bounds::is_over(const amount& held) const {
  const bool counts = definition_.messages_max != 0, weighs = definition_.bytes_max != 0;
  return (counts && held.messages > definition_.messages_max) || (weighs && held.bytes > definition_.bytes_max);
}

result<void> bounds::check_room(std::uint64_t bytes, const amount& planned) const {
  if (definition_.bytes_max != 0 && bytes > definition_.bytes_max) {
    return error{errc::too_large,
                 fmt::format("a message of {} bytes for queue '{}', whose bytes_max is {}", bytes, definition_.name,
                             definition_.bytes_max),
                 "body"};
  }
  if (definition_.overflow == overflow::drop_oldest) return {};
  const amount held = lanes_.ready() + lanes_.coming() + planned;
  if (!is_over(held + amount{1, bytes})) return {};
  return error{errc::target_full,
               fmt::format("queue '{}' has {} messages of {} bytes ready, as much as it may, and rejects more: "
                           "consume, or raise its messages_max or bytes_max",
                           definition_.name, held.messages, held.bytes),
               "queue"};
}

std::vector<dropped_range> bounds::keep(const store::reader& reader, store::commit_group& group,
                                        const std::function<void(const held_message&)>& left) const {
  std::vector<dropped_range> all;
  if (definition_.overflow != overflow::drop_oldest || definition_.dead_letter_exchange) return all;
  std::uint64_t dropped = 0;
  const auto is_over = [&] { return this->is_over(lanes_.ready() + lanes_.coming()); };
  for (std::size_t level = 0; level < lanes_.count() && is_over(); ++level) {
    lane* const lane = lanes_.find(static_cast<std::uint8_t>(level));
    if (lane == nullptr) continue;
    const std::uint64_t messages = (lanes_.ready() + lanes_.coming()).messages;
    const bool counts = definition_.messages_max != 0 && messages > definition_.messages_max;
    dropped_range gone{counts ? store::loss_reason::messages_max : store::loss_reason::bytes_max, lane->stream()};
    const auto goes_on = [&] { return is_over() && dropped + gone.records < dropped_per_group; };
    lane->drop_oldest(reader, group, goes_on, left, gone);
    dropped += gone.records;
    if (gone.records > 0) all.push_back(gone);
  }
  return all;
}

bool bounds::has_excess() const {
  return definition_.dead_letter_exchange && definition_.overflow == overflow::drop_oldest && is_over(lanes_.ready());
}

result<void> bounds::bury_excess(const surroundings& around, const std::function<bool()>& goes_on) const {
  for (lane* const lane : lanes_.all()) {
    if (const auto buried = bury(*lane, around, goes_on); !buried) return buried;
  }
  return {};
}

result<void> bounds::bury(lane& lane, const surroundings& around, const std::function<bool()>& goes_on) const {
  message_view message;
  const auto is_over = [&] { return has_excess() && lane.ready().messages > 0 && goes_on(); };
  const auto take = [&](const record_view& record, std::uint32_t deliveries, bool) {
    read_message(record, record_form::queue, message);
    const held_message held = held_of(record, message, deliveries, lane.level());
    const bool is_expired = held.due_ms != 0 && held.due_ms <= around.now_ms;
    around.depart({held, is_expired ? death_reason::expired : death_reason::maxlen}, message);
    return is_over();
  };
  return is_over() ? lane.take(around.reader, around.group, take) : result<void>();
}

}  // namespace tidegate::core::queues
