#include "broker/main/configuration.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "broker/net/listener.hpp"

namespace tidegate {
namespace {

constexpr std::uint64_t store_bytes_min = 64ull << 20;
// LMDB on 32-bit systems maps the file into an address space that has room for little more.
constexpr std::uint64_t store_bytes_max_32_bit = 1ull << 30;
constexpr std::uint64_t store_bytes_limit = sizeof(void*) == 4 ? store_bytes_max_32_bit : 1ull << 44;
constexpr std::uint64_t journal_bytes_min = 4ull << 20;
constexpr std::uint64_t memory_bytes_limit = sizeof(void*) == 4 ? 1ull << 30 : 1ull << 40;
constexpr std::uint64_t budget_bytes_min = 1ull << 20;
constexpr std::uint64_t budget_bytes_limit = 1ull << 44;

// A commit writes 20 KB at the least, so 20 a second around the clock are 35 GB a day at the most. At that pace a
// commit may be 50 ms away anyway; waiting as long for the first one puts into it what several sensors send when they
// wake together, and the acknowledgement of a worker, which waits for 50 ms at most as well.
constexpr std::uint32_t sd_card_commits_per_second_max = 20;
constexpr milliseconds sd_card_linger{50};

// Thrown inside this file only, and turned into a result at its door.
struct bad_configuration {
  std::string text;
  std::string key;
};

[[noreturn]] void fail(const toml::node& where, std::string_view key, std::string_view what) {
  throw bad_configuration{fmt::format("line {}: {}: {}", where.source().begin.line, key, what), std::string(key)};
}

std::string text_at(const toml::node& node, std::string_view key) {
  if (const auto* const text = node.as_string()) return text->get();
  fail(node, key, "takes a text in quotes");
}

std::uint64_t number_at(const toml::node& node, std::string_view key, std::uint64_t least, std::uint64_t most) {
  const auto* const number = node.as_integer();
  if (number == nullptr || number->get() < 0 || static_cast<std::uint64_t>(number->get()) < least ||
      static_cast<std::uint64_t>(number->get()) > most) {
    fail(node, key, fmt::format("takes a whole number from {} to {}", least, most));
  }
  return static_cast<std::uint64_t>(number->get());
}

// "64M" and the like: a whole number and one letter of `units`, each a factor.
std::optional<std::uint64_t> scaled(std::string_view text, const std::map<char, std::uint64_t>& units) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() - 1) return std::nullopt;
  const auto unit = units.find(*parsed.ptr);
  if (unit == units.end() || number > (std::uint64_t{1} << 62) / unit->second) return std::nullopt;
  return number * unit->second;
}

std::uint64_t bytes_at(const toml::node& node, std::string_view key, std::uint64_t least, std::uint64_t most) {
  if (node.is_integer()) return number_at(node, key, least, most);
  const auto bytes = scaled(text_at(node, key), {{'K', 1ull << 10}, {'M', 1ull << 20}, {'G', 1ull << 30}});
  if (!bytes || *bytes < least || *bytes > most) {
    fail(node, key,
         fmt::format("takes bytes from {} to {}, as a number or like \"512K\", \"64M\", \"2G\"", least, most));
  }
  return *bytes;
}

milliseconds age_at(const toml::node& node, std::string_view key) {
  const auto age = scaled(text_at(node, key), {{'s', 1'000}, {'m', 60'000}, {'h', 3'600'000}, {'d', 86'400'000}});
  const auto most = std::chrono::duration_cast<milliseconds>(limits::retention_age_max).count();
  if (!age || *age > static_cast<std::uint64_t>(most)) {
    fail(node, key, "takes an age like \"90s\", \"30m\", \"12h\", \"7d\", of 100 years at most");
  }
  return milliseconds(static_cast<std::int64_t>(*age));
}

std::vector<std::string> names_at(const toml::node& node, std::string_view key) {
  const auto* const array = node.as_array();
  if (array == nullptr) fail(node, key, "takes a list of names like [\"bridge\"]");
  std::vector<std::string> names;
  for (const auto& item : *array) {
    names.push_back(text_at(item, key));
    if (!check_name("group", names.back())) fail(item, key, "takes names of 1 to 249 printable bytes");
  }
  if (names.size() > limits::protected_groups) fail(node, key, fmt::format("takes {} names", limits::protected_groups));
  return names;
}

// Whole milliseconds, or "50ms", "2s".
milliseconds wait_at(const toml::node& node, std::string_view key, milliseconds least, milliseconds most) {
  std::optional<std::uint64_t> wait;
  if (const auto* const number = node.as_integer()) {
    wait = static_cast<std::uint64_t>(std::max<std::int64_t>(number->get(), -1));
  } else {
    const std::string text = text_at(node, key);
    wait = text.ends_with("ms") ? scaled(text.substr(0, text.size() - 1), {{'m', 1}}) : scaled(text, {{'s', 1'000}});
  }
  if (!wait || *wait < static_cast<std::uint64_t>(least.count()) || *wait > static_cast<std::uint64_t>(most.count())) {
    fail(node, key,
         fmt::format("takes {} to {} milliseconds, as a number or like \"50ms\", \"1s\"", least.count(), most.count()));
  }
  return milliseconds(static_cast<std::int64_t>(*wait));
}

durability durability_at(const toml::node& node, std::string_view key) {
  const auto parsed = parse_durability(text_at(node, key));
  if (!parsed) fail(node, key, parsed.error().text);
  return *parsed;
}

overflow overflow_at(const toml::node& node, std::string_view key) {
  const auto parsed = parse_overflow(text_at(node, key));
  if (!parsed) fail(node, key, parsed.error().text);
  return *parsed;
}

using key_reader = std::function<void(const toml::node&)>;

// Reads each key of a table by its reader; a key without one is an error.
void read_table(const toml::table& table, std::string_view name,
                const std::map<std::string_view, key_reader>& readers) {
  for (const auto& [key, node] : table) {
    const auto reader = readers.find(key.str());
    if (reader == readers.end()) {
      std::string known;
      for (const auto& [each, unused] : readers) known += fmt::format("{}{}", known.empty() ? "" : ", ", each);
      fail(node, fmt::format("{}.{}", name, key.str()), fmt::format("unknown key; [{}] knows {}", name, known));
    }
    reader->second(node);
  }
}

void read_tables(const toml::node& node, std::string_view name, const std::function<void(const toml::table&)>& read) {
  const auto* const array = node.as_array();
  if (array == nullptr) fail(node, name, fmt::format("is a list of tables: write [[{}]]", name));
  for (const auto& item : *array) {
    if (!item.is_table()) fail(item, name, fmt::format("is a list of tables: write [[{}]]", name));
    read(*item.as_table());
  }
}

void read_gateway(const toml::table& table, configuration& out) {
  read_table(table, "gateway", {{"id", [&](const auto& node) {
                                   out.native.gateway = text_at(node, "gateway.id");
                                   if (!check_name("gateway", out.native.gateway))
                                     fail(node, "gateway.id", "takes 1 to 249 printable bytes");
                                 }}});
}

void read_store(const toml::table& table, configuration& out) {
  read_table(
      table, "store",
      {{"path", [&](const auto& node) { out.store.directory = text_at(node, "store.path"); }},
       {"bytes_max",
        [&](const auto& node) {
          out.store.bytes_max = bytes_at(node, "store.bytes_max", store_bytes_min, store_bytes_limit);
        }},
       {"journal_bytes_max",
        [&](const auto& node) {
          out.store.writer.journal_bytes_max = bytes_at(node, "store.journal_bytes_max", journal_bytes_min, 1ull << 30);
        }},
       {"memory_bytes_max",
        [&](const auto& node) {
          const auto* const number = node.as_integer();
          const bool is_off = number != nullptr && number->get() == 0;
          out.store.memory_bytes_max =
              is_off ? 0 : bytes_at(node, "store.memory_bytes_max", limits::memory_bytes_min, memory_bytes_limit);
        }},
       {"on_damage",
        [&](const auto& node) {
          const std::string action = text_at(node, "store.on_damage");
          if (action != "stop" && action != "set-aside") {
            fail(node, "store.on_damage", "takes stop or set-aside");
          }
          out.store.sets_damaged_aside = action == "set-aside";
        }},
       {"retention_bytes_default", [&](const auto& node) {
          out.core.retention_bytes_default =
              bytes_at(node, "store.retention_bytes_default", limits::mib, store_bytes_limit);
        }}});
}

// What a name stands for; keys beside it say otherwise.
void read_profile(const toml::node& node, core::commits::pace_options& commit) {
  commit.profile = text_at(node, "commit.profile");
  if (commit.profile == "sd-card") {
    commit.per_second_max = sd_card_commits_per_second_max;
    commit.linger = sd_card_linger;
  } else if (commit.profile != "default") {
    fail(node, "commit.profile", "takes default or sd-card");
  }
}

void read_commit(const toml::table& table, configuration& out) {
  core::commits::pace_options& commit = out.core.commit;
  if (const auto* const profile = table.get("profile")) read_profile(*profile, commit);
  read_table(
      table, "commit",
      {{"profile", [](const auto&) {}},
       {"linger",
        [&](const auto& node) { commit.linger = wait_at(node, "commit.linger", milliseconds(0), limits::linger_max); }},
       {"linger_max",
        [&](const auto& node) {
          commit.linger_max = wait_at(node, "commit.linger_max", milliseconds(1), limits::linger_max);
        }},
       {"bytes",
        [&](const auto& node) {
          out.core.group_bytes_max = bytes_at(node, "commit.bytes", limits::group_bytes_min, limits::group_bytes_max);
        }},
       {"per_second_max", [&](const auto& node) {
          commit.per_second_max =
              static_cast<std::uint32_t>(number_at(node, "commit.per_second_max", 0, limits::commits_per_second_max));
        }}});
  if (commit.linger <= commit.linger_max) return;
  if (const auto* const named = table.get("linger_max")) {
    fail(*named, "commit.linger_max", "takes no less than commit.linger");
  }
  commit.linger_max = commit.linger;
}

void read_flash(const toml::table& table, configuration& out) {
  read_table(table, "flash",
             {{"budget_bytes_per_day", [&](const auto& node) {
                 const auto* const number = node.as_integer();
                 const bool is_off = number != nullptr && number->get() == 0;
                 out.core.commit.budget_bytes_per_day =
                     is_off ? 0 : bytes_at(node, "flash.budget_bytes_per_day", budget_bytes_min, budget_bytes_limit);
               }}});
}

void read_native(const toml::table& table, configuration& out) {
  read_table(table, "native",
             {{"listen",
               [&](const auto& node) {
                 out.native_listen = text_at(node, "native.listen");
                 if (const auto address = net::parse_address(out.native_listen); !address)
                   fail(node, "native.listen", address.error().text);
               }},
              {"token", [&](const auto& node) { out.native.token = text_at(node, "native.token"); }},
              {"device_exchange",
               [&](const auto& node) { out.native.device_exchange = text_at(node, "native.device_exchange"); }},
              {"heartbeat_seconds",
               [&](const auto& node) {
                 out.native.heartbeat = std::chrono::seconds(number_at(node, "native.heartbeat_seconds", 1, 3'600));
               }},
              {"connections_max", [&](const auto& node) {
                 out.native_connections_max = number_at(node, "native.connections_max", 1, 100'000);
               }}});
}

void read_clock(const toml::table& table, configuration& out) {
  static const std::map<std::string, wall_trust> trusts{
      {"auto", wall_trust::automatic}, {"always", wall_trust::always}, {"never", wall_trust::never}};
  read_table(table, "clock", {{"trusted", [&](const auto& node) {
                                 const auto trust = trusts.find(text_at(node, "clock.trusted"));
                                 if (trust == trusts.end()) fail(node, "clock.trusted", "takes auto, always or never");
                                 out.clock_trust = trust->second;
                               }}});
}

void read_log(const toml::table& table, configuration& out) {
  static const std::map<std::string, log::level> levels{{"debug", log::level::debug},
                                                        {"info", log::level::info},
                                                        {"warning", log::level::warning},
                                                        {"error", log::level::error}};
  read_table(table, "log", {{"level", [&](const auto& node) {
                               const auto level = levels.find(text_at(node, "log.level"));
                               if (level == levels.end())
                                 fail(node, "log.level", "takes debug, info, warning or error");
                               out.log_level = level->second;
                             }}});
}

void read_exchange(const toml::table& table, configuration& out) {
  exchange_definition exchange;
  read_table(table, "exchange",
             {{"name", [&](const auto& node) { exchange.name = text_at(node, "exchange.name"); }},
              {"type", [&](const auto& node) {
                 const auto type = parse_exchange_type(text_at(node, "exchange.type"));
                 if (!type) fail(node, "exchange.type", type.error().text);
                 exchange.type = *type;
               }}});
  if (!check_name("exchange", exchange.name))
    fail(table, "exchange.name", "is missing, or not 1 to 249 printable bytes");
  out.exchanges.push_back(exchange);
}

void read_queue(const toml::table& table, configuration& out) {
  core::queue_request queue;
  read_table(table, "queue",
             {{"name", [&](const auto& node) { queue.name = text_at(node, "queue.name"); }},
              {"messages_max",
               [&](const auto& node) {
                 queue.messages_max = number_at(node, "queue.messages_max", 1, std::uint64_t{1} << 62);
               }},
              {"bytes_max",
               [&](const auto& node) { queue.bytes_max = bytes_at(node, "queue.bytes_max", 1, store_bytes_limit); }},
              {"overflow", [&](const auto& node) { queue.overflow = overflow_at(node, "queue.overflow"); }},
              {"durability", [&](const auto& node) { queue.durability = durability_at(node, "queue.durability"); }}});
  if (!check_name("queue", queue.name)) fail(table, "queue.name", "is missing, or not 1 to 249 printable bytes");
  out.queues.push_back(queue);
}

void read_topic(const toml::table& table, configuration& out) {
  core::topic_request topic;
  read_table(table, "topic",
             {{"name", [&](const auto& node) { topic.name = text_at(node, "topic.name"); }},
              {"partitions",
               [&](const auto& node) {
                 topic.partitions =
                     static_cast<std::uint32_t>(number_at(node, "topic.partitions", 1, limits::partitions_per_topic));
               }},
              {"retention_bytes",
               [&](const auto& node) {
                 topic.retention_bytes = bytes_at(node, "topic.retention_bytes", limits::mib, store_bytes_limit);
               }},
              {"retention_age", [&](const auto& node) { topic.retention_age = age_at(node, "topic.retention_age"); }},
              {"retention_records",
               [&](const auto& node) {
                 topic.retention_records = number_at(node, "topic.retention_records", 1, std::uint64_t{1} << 62);
               }},
              {"overflow", [&](const auto& node) { topic.overflow = overflow_at(node, "topic.overflow"); }},
              {"protect", [&](const auto& node) { topic.protect = names_at(node, "topic.protect"); }},
              {"durability", [&](const auto& node) { topic.durability = durability_at(node, "topic.durability"); }}});
  if (const auto checked = check_topic_name(topic.name); !checked) fail(table, "topic.name", checked.error().text);
  out.topics.push_back(topic);
}

void read_binding(const toml::table& table, configuration& out) {
  binding_definition binding;
  int targets = 0;
  const auto target = [&](target_kind kind, const toml::node& node) {
    binding.kind = kind;
    binding.target = text_at(node, "binding." + std::string(name(kind)));
    ++targets;
  };
  read_table(table, "binding",
             {{"exchange", [&](const auto& node) { binding.exchange = text_at(node, "binding.exchange"); }},
              {"queue", [&](const auto& node) { target(target_kind::queue, node); }},
              {"topic", [&](const auto& node) { target(target_kind::topic, node); }},
              {"routing_key", [&](const auto& node) { binding.routing_key = text_at(node, "binding.routing_key"); }}});
  if (targets != 1) fail(table, "binding", "names one queue or one topic");
  if (binding.exchange.empty()) fail(table, "binding.exchange", "is missing");
  out.bindings.push_back(binding);
}

const toml::table& table_at(const toml::node& node, std::string_view key) {
  if (const auto* const table = node.as_table()) return *table;
  fail(node, key, fmt::format("is a table: write [{}]", key));
}

// At most a quarter of the store. The defaults shrink with a small store; what was written down is an error.
void fit_into_store(const toml::table& root, std::string_view key, std::uint64_t store_bytes, std::uint64_t& bytes) {
  if (bytes <= store_bytes / 4) return;
  if (const auto named = root["store"][key]) {
    fail(*named.node(), fmt::format("store.{}", key), "takes at most a quarter of store.bytes_max");
  }
  bytes = store_bytes / 4;
}

configuration read(const toml::table& root) {
  configuration out;
  out.store.directory = "/var/lib/tidegate";
  const auto section = [&](std::string_view key, auto reader) {
    return std::pair<const std::string_view, key_reader>(
        key, [&out, key, reader](const toml::node& node) { reader(table_at(node, key), out); });
  };
  const auto list = [&](std::string_view key, auto reader) {
    return std::pair<const std::string_view, key_reader>(key, [&out, key, reader](const toml::node& node) {
      read_tables(node, key, [&](const toml::table& table) { reader(table, out); });
    });
  };
  read_table(root, "file",
             {section("gateway", read_gateway), section("store", read_store), section("commit", read_commit),
              section("flash", read_flash), section("clock", read_clock), section("native", read_native),
              section("log", read_log), list("exchange", read_exchange), list("queue", read_queue),
              list("topic", read_topic), list("binding", read_binding)});
  fit_into_store(root, "journal_bytes_max", out.store.bytes_max, out.store.writer.journal_bytes_max);
  fit_into_store(root, "retention_bytes_default", out.store.bytes_max, out.core.retention_bytes_default);
  return out;
}

}  // namespace

result<configuration> parse_configuration(std::string_view text, std::string_view source) {
  try {
    return read(toml::parse(text, source));
  } catch (const toml::parse_error& failure) {
    return error{errc::invalid,
                 fmt::format("{}: line {}: {}", source, failure.source().begin.line, failure.description())};
  } catch (const bad_configuration& bad) {
    return error{errc::invalid, fmt::format("{}: {}", source, bad.text), bad.key};
  }
}

result<configuration> read_configuration(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) return error{errc::not_found, fmt::format("cannot read the configuration file {}", file.string())};
  std::stringstream text;
  text << in.rdbuf();
  return parse_configuration(text.str(), file.string());
}

}  // namespace tidegate
