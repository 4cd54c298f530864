#include "broker/main/configuration.hpp"

#include <fmt/format.h>

#include <map>

#include "broker/base/settings/reader.hpp"
#include "broker/main/known_settings.hpp"
#include "broker/model/field_table.hpp"
#include "broker/net/listener.hpp"

namespace tidegate {
namespace {

using settings::section;

// A commit writes at least 20 KB, so 20 a second around the clock are at most 35 GB a day. At that pace a commit may be
// 50 ms away anyway. A linger of the same length puts into one commit what several sensors send when they wake
// together, and a worker's acknowledgement, which waits for at most 50 ms, too.
constexpr std::uint32_t sd_card_commits_per_second_max = 20;
constexpr milliseconds sd_card_linger{50};

constexpr std::string_view names_taken = "takes 1 to 249 bytes of UTF-8 without control characters";

void read_gateway(const section& gateway, configuration& out) {
  gateway.read("id", out.native.gateway);
  if (!check_name("gateway", out.native.gateway)) gateway.refuse("id", names_taken);
}

void read_store(const section& store, configuration& out) {
  std::string action;
  store.read("path", out.store.directory);
  store.read("bytes_max", out.store.bytes_max);
  store.read("journal_bytes_max", out.store.writer.journal_bytes_max);
  store.read("retention_bytes_default", out.core.retention_bytes_default);
  store.read("memory_bytes_max", out.store.memory_bytes_max);
  store.read("on_damage", action);
  out.store.sets_damaged_aside = action == "set-aside";
}

// At most a quarter of the store. A default shrinks with a small store; an explicit value is refused.
void fit_into_store(const section& store, std::string_view key, std::uint64_t store_bytes, std::uint64_t& bytes) {
  if (bytes <= store_bytes / 4) return;
  if (store.has(key)) {
    store.refuse(key, fmt::format("takes at most a quarter of store.bytes_max, which is {}; found {}",
                                  settings::write_size(store_bytes / 4), settings::write_size(bytes)));
  }
  bytes = store_bytes / 4;
}

// Sets the profile's values; keys beside it override them.
void use_profile(core::commits::pace_options& commit) {
  if (commit.profile != "sd-card") return;
  commit.per_second_max = sd_card_commits_per_second_max;
  commit.linger = sd_card_linger;
}

void read_commit(const section& section, configuration& out) {
  core::commits::pace_options& commit = out.core.commit;
  section.read("profile", commit.profile);
  use_profile(commit);
  section.read("linger", commit.linger);
  section.read("linger_max", commit.linger_max);
  section.read("bytes", out.core.group_bytes_max);
  section.read("per_second_max", commit.per_second_max);
  if (commit.linger <= commit.linger_max) return;
  if (section.has("linger_max")) {
    section.refuse("linger_max",
                   fmt::format("takes no less than commit.linger, which is {}; found {}",
                               settings::write_duration(commit.linger), settings::write_duration(commit.linger_max)));
  }
  commit.linger_max = commit.linger;
}

void read_native(const section& native, configuration& out) {
  native.read("listen", out.native_listen);
  if (const auto address = net::parse_address(out.native_listen); !address) {
    native.refuse("listen", address.error().text);
  }
  native.read("token", out.native.token);
  native.read("device_exchange", out.native.device_exchange);
  if (const auto* const seconds = native.number("heartbeat_seconds")) {
    out.native.heartbeat = std::chrono::seconds(*seconds);
  }
  native.read("connections_max", out.native_connections_max);
}

void read_clock(const section& clock, configuration& out) {
  static const std::map<std::string, wall_trust> trusts{
      {"auto", wall_trust::automatic}, {"always", wall_trust::always}, {"never", wall_trust::never}};
  if (const auto* const trusted = clock.text("trusted")) out.clock_trust = trusts.at(*trusted);
}

void read_log(const section& log, configuration& out) {
  static const std::map<std::string, log::level> levels{{"debug", log::level::debug},
                                                        {"info", log::level::info},
                                                        {"warning", log::level::warning},
                                                        {"error", log::level::error}};
  if (const auto* const level = log.text("level")) out.log_level = levels.at(*level);
}

core::api::exchange_request read_exchange(const section& section) {
  core::api::exchange_request exchange;
  section.read("name", exchange.name);
  section.read("type", exchange.type, parse_exchange_type);
  section.read("internal", exchange.internal);
  section.read("alternate", exchange.alternate);
  if (!check_name("exchange", exchange.name)) section.refuse("name", names_taken);
  return exchange;
}

core::api::queue_request read_queue(const section& section) {
  core::api::queue_request queue;
  section.read("name", queue.name);
  section.read("messages_max", queue.messages_max);
  section.read("bytes_max", queue.bytes_max);
  section.read("overflow", queue.overflow, parse_queue_overflow);
  section.read("single_active", queue.single_active);
  section.read("time_to_live", queue.time_to_live);
  section.read("expires", queue.expires);
  section.read("dead_letter_exchange", queue.dead_letter_exchange);
  section.read("dead_letter_key", queue.dead_letter_key);
  section.read("delivery_limit", queue.delivery_limit);
  section.read("priority_max", queue.priority_max);
  section.read("retry_delay", queue.retry_delay);
  section.read("retry_delay_max", queue.retry_delay_max);
  section.read("durability", queue.durability, parse_durability);
  if (!check_name("queue", queue.name)) section.refuse("name", names_taken);
  return queue;
}

core::api::topic_request read_topic(const section& section) {
  core::api::topic_request topic;
  section.read("name", topic.name);
  section.read("partitions", topic.partitions);
  section.read("retention_bytes", topic.retention_bytes);
  section.read("retention_age", topic.retention_age);
  section.read("retention_records", topic.retention_records);
  section.read("overflow", topic.overflow, parse_overflow);
  section.read("protect", topic.protect);
  section.read("durability", topic.durability, parse_durability);
  if (const auto checked = check_topic_name(topic.name); !checked) section.refuse("name", checked.error().text);
  for (const std::string& group : topic.protect) {
    if (!check_name("group", group)) section.refuse("protect", names_taken);
  }
  return topic;
}

binding_definition read_binding(const section& section) {
  binding_definition binding;
  int targets = 0;
  for (const target_kind kind : {target_kind::queue, target_kind::topic, target_kind::exchange}) {
    const std::string_view key = kind == target_kind::exchange ? "target_exchange" : name(kind);
    if (!section.has(key)) continue;
    binding.kind = kind;
    section.read(key, binding.target);
    ++targets;
  }
  if (targets != 1) section.refuse("names one queue, one topic or one target_exchange");
  section.read("exchange", binding.exchange);
  section.read("routing_key", binding.routing_key);
  settings::text_table headers;
  section.read("headers", headers);
  for (const auto& [header, value] : headers) {
    if (header.size() > 255) section.refuse("headers", "has a name of more than 255 bytes");
    append_text(binding.arguments, header, value);
  }
  if (const auto* const match = section.text("match")) append_text(binding.arguments, "x-match", *match);
  if (binding.exchange.empty()) section.refuse("exchange", "is empty");
  return binding;
}

configuration read_whole(const settings::document& file) {
  configuration out;
  out.store.directory = "/var/lib/tidegate";
  const section store = file.one("store");
  read_gateway(file.one("gateway"), out);
  read_store(store, out);
  read_commit(file.one("commit"), out);
  file.one("flash").read("budget_bytes_per_day", out.core.commit.budget_bytes_per_day);
  read_clock(file.one("clock"), out);
  read_native(file.one("native"), out);
  read_log(file.one("log"), out);
  for (const section& each : file.all("exchange")) out.exchanges.push_back(read_exchange(each));
  for (const section& each : file.all("queue")) out.queues.push_back(read_queue(each));
  for (const section& each : file.all("topic")) out.topics.push_back(read_topic(each));
  for (const section& each : file.all("binding")) out.bindings.push_back(read_binding(each));
  fit_into_store(store, "journal_bytes_max", out.store.bytes_max, out.store.writer.journal_bytes_max);
  fit_into_store(store, "retention_bytes_default", out.store.bytes_max, out.core.retention_bytes_default);
  return out;
}

}  // namespace

result<configuration> parse_configuration(std::string_view text, std::string_view source) {
  return settings::parse(text, source, known_settings(), read_whole);
}

result<configuration> read_configuration(const std::filesystem::path& file) {
  return settings::read(file, known_settings(), read_whole);
}

}  // namespace tidegate
