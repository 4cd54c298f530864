// The application's requests about definitions and topics.
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

result<binding_definition> binding_of(const tg_Bind& bind) {
  const auto kind = parse_target_kind(view_of(bind.target_kind));
  if (!kind) return kind.error();
  if (!is_utf8(view_of(bind.routing_key))) return error{errc::invalid, "the routing key is not UTF-8", "routing_key"};
  return binding_definition{std::string(view_of(bind.exchange)), *kind, std::string(view_of(bind.target)),
                            std::string(view_of(bind.routing_key)), std::string(view_of(bind.arguments))};
}

std::optional<std::string> if_set(const tg_bytes& text) {
  return text.data == nullptr ? std::nullopt : std::optional(std::string(view_of(text)));
}
template <class Value>
std::optional<Value> if_set(bool is_set, Value value) {
  return is_set ? std::optional(value) : std::nullopt;
}
// A number that no time reaches becomes one that the catalog refuses.
std::optional<milliseconds> ms_if_set(bool is_set, std::uint64_t ms) {
  constexpr std::uint64_t beyond = 1ull << 62;
  return if_set(is_set, milliseconds(static_cast<std::int64_t>(std::min(ms, beyond))));
}

core::api::sameness sameness_of(bool is_exact) {
  return is_exact ? core::api::sameness::exact : core::api::sameness::lenient;
}

// Absent = unchanged, or the default.
result<std::optional<durability>> durability_of(const tg_bytes& text) {
  if (text.size == 0) return std::optional<durability>();
  const auto parsed = parse_durability(view_of(text));
  if (!parsed) return parsed.error();
  return std::optional(*parsed);
}

// Absent = unchanged, or the default.
result<std::optional<overflow>> overflow_of(const tg_bytes& text, result<overflow> (*parse)(std::string_view)) {
  if (text.size == 0) return std::optional<overflow>();
  const auto parsed = parse(view_of(text));
  if (!parsed) return parsed.error();
  return std::optional(*parsed);
}

// Reads one more than a topic may protect: enough to be refused.
std::vector<std::string> groups_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() <= limits::protected_groups) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

void set_attributes(const tg_DeclareQueue& declare, core::api::queue_request& wanted) {
  wanted.auto_delete = if_set(declare.has_auto_delete, declare.auto_delete);
  wanted.single_active = if_set(declare.has_single_active, declare.single_active);
  wanted.exclusive = declare.exclusive;
  wanted.arguments = if_set(declare.arguments);
  wanted.time_to_live = ms_if_set(declare.has_time_to_live_ms, declare.time_to_live_ms);
  wanted.expires = ms_if_set(declare.has_expires_ms, declare.expires_ms);
  wanted.dead_letter_exchange = if_set(declare.dead_letter_exchange);
  wanted.dead_letter_key = if_set(declare.dead_letter_key);
  wanted.delivery_limit = if_set(declare.has_delivery_limit, declare.delivery_limit);
  wanted.priority_max = if_set(declare.has_priority_max, declare.priority_max);
  wanted.retry_delay = ms_if_set(declare.has_retry_delay_ms, declare.retry_delay_ms);
  wanted.retry_delay_max = ms_if_set(declare.has_retry_delay_max_ms, declare.retry_delay_max_ms);
}

}  // namespace

void application::declare_exchange(const tg_frame& frame) {
  tg_DeclareExchange declare{};
  if (!tg_frame_decode(&frame, tg_DeclareExchange_fields, &declare))
    return session_.fail(does_not_decode("DeclareExchange"));
  const std::string_view name = view_of(declare.name);
  if (declare.passive) {
    if (core_.inspecting.routes().find_definition(name) != nullptr) return answer_done({declare.correlation});
    return session_.refuse(declare.correlation, {errc::not_found, fmt::format("no exchange '{}'", name), "name"});
  }
  const auto type = parse_exchange_type(view_of(declare.type));
  if (!type) return session_.refuse(declare.correlation, type.error());
  const auto receipt = receipt_for({declare.correlation});
  const core::api::exchange_request wanted{std::string(name),
                                           *type,
                                           if_set(declare.has_auto_delete, declare.auto_delete),
                                           if_set(declare.has_internal, declare.internal),
                                           if_set(declare.alternate),
                                           if_set(declare.arguments)};
  conclude(receipt, declare.correlation, core_.defining.declare_exchange(wanted, receipt, sameness_of(declare.exact)));
}

void application::declare_queue(const tg_frame& frame) {
  tg_DeclareQueue declare{};
  if (!tg_frame_decode(&frame, tg_DeclareQueue_fields, &declare)) return session_.fail(does_not_decode("DeclareQueue"));
  const std::string_view name = view_of(declare.name);
  if (core_.inspecting.is_for_replies(name)) {
    waiting_request done{declare.correlation};
    done.name = name;
    done.consumers = 1;
    return answer_done(done);
  }
  const auto* const known = core_.inspecting.find_queue(name);
  if (declare.passive) {
    if (known != nullptr) {
      const auto checked = core_.defining.check_owner(*known, session_.id());
      if (!checked) return session_.refuse(declare.correlation, checked.error());
      return answer_done(declared(declare.correlation, *known));
    }
    return session_.refuse(declare.correlation, {errc::not_found, fmt::format("no queue '{}'", name), "name"});
  }
  const auto durability = durability_of(declare.durability);
  if (!durability) return session_.refuse(declare.correlation, durability.error());
  const auto overflow = overflow_of(declare.overflow, parse_queue_overflow);
  if (!overflow) return session_.refuse(declare.correlation, overflow.error());
  core::api::queue_request wanted{std::string(name), *durability, declare.messages_max, declare.bytes_max, *overflow};
  set_attributes(declare, wanted);
  const auto receipt = receipt_for({declare.correlation});
  const auto queue = core_.defining.declare_queue(wanted, receipt, sameness_of(declare.exact));
  if (queue) requests_[receipt.token] = declared(declare.correlation, **queue);
  conclude(receipt, declare.correlation, queue ? result<void>() : queue.error());
}

application::waiting_request application::declared(std::uint32_t correlation, const core::queues::queue& queue) {
  waiting_request done{correlation, TG_DONE, queue.ready()};
  done.name = queue.name();
  done.consumers = static_cast<std::uint32_t>(queue.consumers().size());
  return done;
}

void application::declare_topic(const tg_frame& frame) {
  tg_DeclareTopic declare{};
  if (!tg_frame_decode(&frame, tg_DeclareTopic_fields, &declare)) return session_.fail(does_not_decode("DeclareTopic"));
  const std::string_view name = view_of(declare.name);
  const auto* const known = core_.inspecting.find_topic(name);
  const auto partitions =
      known == nullptr ? std::max(1u, declare.partitions) : static_cast<std::uint32_t>(known->partitions().size());
  if (declare.passive) {
    if (known != nullptr) {
      return answer_done({declare.correlation, TG_DONE, 0, partitions, known->definition().uuid});
    }
    return session_.refuse(declare.correlation, {errc::not_found, fmt::format("no topic '{}'", name), "name"});
  }
  const auto durability = durability_of(declare.durability);
  if (!durability) return session_.refuse(declare.correlation, durability.error());
  const auto overflow = overflow_of(declare.overflow, parse_overflow);
  if (!overflow) return session_.refuse(declare.correlation, overflow.error());
  const auto receipt = receipt_for({declare.correlation, TG_DONE, 0, partitions});
  const auto declared = core_.defining.declare_topic(
      {std::string(name), declare.partitions, declare.retention_bytes,
       milliseconds(static_cast<std::int64_t>(declare.retention_ms)), declare.retention_records, *overflow,
       groups_of(view_of(declare.protect)), *durability},
      receipt);
  if (declared) {
    const auto& topic = *core_.inspecting.find_topic(name);
    waiting_request& done = requests_[receipt.token];
    done.topic_id = topic.definition().uuid;
    for (const std::string& group : core_.inspecting.unmatched_protect(topic)) {
      done.notice.append(
          fmt::format("{}topic '{}' protects '{}', and no group '{}' or '{}/...' has committed an offset yet",
                      done.notice.empty() ? "" : "; ", name, group, group, group));
    }
  }
  conclude(receipt, declare.correlation, declared);
}

void application::bind(const tg_frame& frame) {
  tg_Bind bind{};
  if (!tg_frame_decode(&frame, tg_Bind_fields, &bind)) return session_.fail(does_not_decode("Bind"));
  const auto binding = binding_of(bind);
  if (!binding) return session_.refuse(bind.correlation, binding.error());
  const auto receipt = receipt_for({bind.correlation});
  conclude(receipt, bind.correlation, core_.defining.bind(*binding, receipt));
}

void application::unbind(const tg_frame& frame) {
  tg_Bind bind{};
  if (!tg_frame_decode(&frame, tg_Bind_fields, &bind)) return session_.fail(does_not_decode("Unbind"));
  const auto binding = binding_of(bind);
  if (!binding) return session_.refuse(bind.correlation, binding.error());
  const auto receipt = receipt_for({bind.correlation});
  conclude(receipt, bind.correlation, core_.defining.unbind(*binding, receipt));
}

void application::remove(const tg_frame& frame) {
  tg_Delete remove{};
  if (!tg_frame_decode(&frame, tg_Delete_fields, &remove)) return session_.fail(does_not_decode("Delete"));
  const std::string_view kind = view_of(remove.kind), name = view_of(remove.name);
  const bool is_devices = name == session_.settings().device_exchange && !core::routing::exchanges::is_built_in(name);
  if (kind == "exchange" && is_devices) {
    return session_.refuse(
        remove.correlation,
        {errc::precondition, fmt::format("devices publish to exchange '{}' (native.device_exchange)", name), "name"});
  }
  const auto receipt = receipt_for({remove.correlation});
  if (kind == "exchange")
    return conclude(receipt, remove.correlation, core_.defining.remove_exchange(name, receipt, remove.if_unused));
  if (kind == "queue") {
    const auto removed = core_.defining.remove_queue(name, receipt, {remove.if_unused, remove.if_empty});
    if (removed) requests_[receipt.token].number = *removed;
    return conclude(receipt, remove.correlation, removed ? result<void>() : removed.error());
  }
  if (kind == "topic") return conclude(receipt, remove.correlation, core_.defining.remove_topic(name, receipt));
  conclude(receipt, remove.correlation,
           error{errc::invalid, fmt::format("'{}' is not exchange, queue or topic", kind), "kind"});
}

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
