#include "broker/main/known_settings.hpp"

#include <limits>

#include "broker/base/limits.hpp"

namespace tidegate {
namespace {

using settings::kind;

// LMDB maps the whole file, and a 32-bit address space has room for little more.
constexpr bool is_32_bit = sizeof(void*) == 4;
constexpr std::uint64_t store_bytes_limit = is_32_bit ? 1ull << 30 : 1ull << 44;
constexpr std::uint64_t memory_bytes_limit = is_32_bit ? 1ull << 30 : 1ull << 40;
constexpr std::uint64_t count_limit = 1ull << 62;
constexpr auto linger_limit = static_cast<std::uint64_t>(limits::linger_max.count());
constexpr std::uint64_t count_limit_32 = std::numeric_limits<std::uint32_t>::max();
constexpr auto queue_time_limit = static_cast<std::uint64_t>(limits::time_to_live_max.count());
constexpr auto age_limit = static_cast<std::uint64_t>(
    std::chrono::duration_cast<std::chrono::milliseconds>(limits::retention_age_max).count());

constexpr settings::key gateway_keys[] = {
    {.name = "id",
     .standard = R"("gateway")",
     .meaning = "Stable name of this gateway, 1 to 249 printable bytes. The bridge sends it with every record."},
};

constexpr settings::key store_keys[] = {
    {.name = "path",
     .standard = R"("/var/lib/tidegate")",
     .meaning = "Directory of the store. Both files in it are filled at the first start."},
    {.name = "bytes_max",
     .takes = kind::size,
     .standard = R"("1G")",
     .meaning = "Size of `data.mdb`. Publishes are refused above 80 % of it. At most 1G on 32-bit systems.",
     .least = 64ull << 20,
     .most = store_bytes_limit},
    {.name = "journal_bytes_max",
     .takes = kind::size,
     .standard = R"("32M")",
     .meaning =
         "Size of `journal.ring`, which is replayed at start. At most a quarter of bytes_max; the default shrinks.",
     .least = 4ull << 20,
     .most = 1ull << 30},
    {.name = "retention_bytes_default",
     .takes = kind::size,
     .standard = R"("64M")",
     .meaning = "Bound of a partition whose topic names none. At most a quarter of bytes_max; the default shrinks.",
     .least = limits::mib,
     .most = store_bytes_limit},
    {.name = "memory_bytes_max",
     .takes = kind::size,
     .standard = R"("16M")",
     .meaning = "Bound of all queues and topics of durability `memory` together; 0 disables them. At the bound topics "
                "there drop their oldest records, the largest topic first; then publishes are refused.",
     .least = limits::memory_bytes_min,
     .most = memory_bytes_limit,
     .or_zero = true},
    {.name = "on_damage",
     .takes = kind::word,
     .standard = R"("stop")",
     .meaning =
         "What happens at start to a file that cannot be used. With `set-aside` it is renamed, and an empty store "
         "takes its place, with a loss record.",
     .words = {"stop", "set-aside"}},
};

constexpr settings::key commit_keys[] = {
    {.name = "profile",
     .takes = kind::word,
     .standard = R"("default")",
     .meaning = "`sd-card` sets per_second_max = 20 and linger = \"50ms\", unless they are given.",
     .words = {"default", "sd-card"}},
    {.name = "linger",
     .takes = kind::milliseconds,
     .standard = R"("0ms")",
     .meaning = "How long a publish waits for others to share its commit. 0: only while the writer is busy.",
     .most = linger_limit},
    {.name = "linger_max",
     .takes = kind::milliseconds,
     .standard = R"("1s")",
     .meaning = "How far flash.budget_bytes_per_day may stretch the linger. No less than linger.",
     .least = 1,
     .most = linger_limit},
    {.name = "bytes",
     .takes = kind::size,
     .standard = R"("1M")",
     .meaning = "A group of this size is committed without lingering; publishers wait for it.",
     .least = limits::group_bytes_min,
     .most = limits::group_bytes_max},
    {.name = "per_second_max",
     .takes = kind::number,
     .standard = "0",
     .meaning = "Commits per second; 0 = any number. One publish at a time gets no more confirms than that.",
     .most = limits::commits_per_second_max},
};

constexpr settings::key flash_keys[] = {
    {.name = "budget_bytes_per_day",
     .takes = kind::size,
     .standard = "0",
     .meaning = "Bytes that may be written in 24 hours of running; 0 = no budget. Nothing is refused for it: `tidegate "
                "status` shows when commit.linger_max does not suffice to keep it.",
     .least = 1ull << 20,
     .most = 1ull << 44,
     .or_zero = true},
};

constexpr settings::key clock_keys[] = {
    {.name = "trusted",
     .takes = kind::word,
     .standard = R"("auto")",
     .meaning =
         "Whether the wall clock is right. `auto`: while the kernel says that it is synchronised. While it is not "
         "trusted, timestamps continue from the last time known, and records carry `tg-estimated`.",
     .words = {"auto", "always", "never"}},
};

constexpr settings::key native_keys[] = {
    {.name = "listen",
     .standard = R"("127.0.0.1:7420")",
     .meaning = "Address of the native protocol, for devices and applications. There is no TLS yet."},
    {.name = "token", .standard = R"("")", .meaning = "What clients must present; empty = nothing.", .secret = true},
    {.name = "device_exchange",
     .standard = R"("amq.topic")",
     .meaning = "Exchange that devices publish to. Their id is the partition key."},
    {.name = "heartbeat_seconds",
     .takes = kind::number,
     .standard = "30",
     .meaning = "A peer that is silent for twice as long is disconnected.",
     .least = 1,
     .most = 3'600},
    {.name = "connections_max",
     .takes = kind::number,
     .standard = "1000",
     .meaning = "Connections at a time.",
     .least = 1,
     .most = 100'000},
};

constexpr settings::key log_keys[] = {
    {.name = "level",
     .takes = kind::word,
     .standard = R"("info")",
     .meaning = "The least severe lines that are written.",
     .words = {"debug", "info", "warning", "error"}},
};

constexpr settings::key exchange_keys[] = {
    {.name = "name", .meaning = "1 to 249 printable bytes.", .required = true},
    {.name = "type",
     .takes = kind::word,
     .standard = R"("direct")",
     .meaning = "How routing keys are matched.",
     .words = {"direct", "fanout", "topic", "headers"}},
    {.name = "internal",
     .takes = kind::boolean,
     .standard = "false",
     .meaning = "The exchange takes messages from other exchanges only."},
    {.name = "alternate", .meaning = "Exchange for messages that no binding matches."},
};

// A queue's or a topic's durability. The key declares no words, since an interval has a number in it.
constexpr settings::key durability_key{
    .name = "durability",
    .standard = R"("commit")",
    .meaning =
        "`commit`, `interval:<ms>` (1 to 3600000: may wait up to that long for another commit; confirms wait with "
        "it), or `memory` (never written; lost when the broker stops)."};

constexpr settings::key queue_keys[] = {
    {.name = "name", .meaning = "1 to 249 printable bytes.", .required = true},
    durability_key,
    {.name = "messages_max",
     .takes = kind::number,
     .meaning = "Bound of the messages that are ready: not delivered and unacknowledged.",
     .least = 1,
     .most = count_limit},
    {.name = "bytes_max",
     .takes = kind::size,
     .meaning = "The same in bytes of bodies.",
     .least = 1,
     .most = store_bytes_limit},
    {.name = "overflow",
     .takes = kind::word,
     .standard = R"("drop-oldest")",
     .meaning = "At a bound: the oldest message is dropped, with a loss record, or publishes are refused. "
                "`reject-dead-letter` also makes a dead letter of the refused message.",
     .words = {"drop-oldest", "reject", "reject-dead-letter"}},
    {.name = "single_active",
     .takes = kind::boolean,
     .standard = "false",
     .meaning = "One consumer at a time gets messages; another follows when it ends."},
    {.name = "time_to_live",
     .takes = kind::duration,
     .meaning = "Time after which a message expires. Counts elapsed time, whatever the wall clock does.",
     .most = queue_time_limit},
    {.name = "expires",
     .takes = kind::duration,
     .meaning = "The queue is deleted when nobody consumed, got or declared it for so long.",
     .least = 1,
     .most = queue_time_limit},
    {.name = "dead_letter_exchange",
     .meaning = "Exchange for messages that expire, are discarded, returned too often, or dropped at a bound; empty is "
                "the default exchange."},
    {.name = "dead_letter_key", .meaning = "Their routing key, unless it is their own."},
    {.name = "delivery_limit",
     .takes = kind::number,
     .standard = "20",
     .meaning = "A message that is returned more often dies; 0 is no limit.",
     .most = count_limit_32},
    {.name = "priority_max",
     .takes = kind::number,
     .standard = "0",
     .meaning = "Messages have priorities from 0 to this.",
     .most = limits::priority_max},
    {.name = "retry_delay",
     .takes = kind::duration,
     .meaning = "A message that is returned waits so long, twice as long the second time, and so on.",
     .most = queue_time_limit},
    {.name = "retry_delay_max",
     .takes = kind::duration,
     .meaning = "It waits no longer than this.",
     .most = queue_time_limit},
};

constexpr settings::key topic_keys[] = {
    {.name = "name", .meaning = "1 to 249 letters, digits, dots, underscores and hyphens.", .required = true},
    {.name = "partitions",
     .takes = kind::number,
     .standard = "1",
     .meaning = "Partitions can be added later but not removed.",
     .least = 1,
     .most = limits::partitions_per_topic},
    {.name = "retention_bytes",
     .takes = kind::size,
     .meaning =
         "Hard bound of each partition; unless given, store.retention_bytes_default. With durability `memory` at "
         "most store.memory_bytes_max, and unless given at most a quarter of it.",
     .least = limits::retention_bytes_min,
     .most = store_bytes_limit},
    {.name = "retention_age",
     .takes = kind::duration,
     .meaning = "Older records are dropped. Counts elapsed time, whatever the wall clock does.",
     .most = age_limit},
    {.name = "retention_records",
     .takes = kind::number,
     .meaning = "Hard bound of the records of each partition.",
     .least = 1,
     .most = count_limit},
    {.name = "overflow",
     .takes = kind::word,
     .standard = R"("drop-oldest")",
     .meaning = "At the bound in bytes or records: the oldest records are dropped, or publishes are refused.",
     .words = {"drop-oldest", "reject"}},
    {.name = "protect",
     .takes = kind::text_list,
     .meaning =
         "Groups whose unread records are dropped last when the store is short of room; with `reject`, what all of "
         "them have read makes room. A name means the group of that name and all groups `name/...`.",
     .most = limits::protected_groups},
    durability_key,
};

constexpr settings::key binding_keys[] = {
    {.name = "exchange", .meaning = "The exchange that is bound.", .required = true},
    {.name = "routing_key", .meaning = "What the exchange matches; empty unless given."},
    {.name = "queue", .meaning = "Target. A binding names one queue, one topic or one target_exchange."},
    {.name = "topic", .meaning = "Target."},
    {.name = "target_exchange", .meaning = "Target: messages go on to this exchange."},
    {.name = "headers",
     .takes = kind::text_table,
     .meaning = "For a headers exchange: the headers that messages need.",
     .most = 64},
    {.name = "match",
     .takes = kind::word,
     .meaning = "For a headers exchange: whether all of the headers are needed, or any. The forms with x count "
                "names that begin with `x-`, too.",
     .words = {"all", "any", "all-with-x", "any-with-x"}},
};

constexpr std::string_view definitions =
    "Made at the start if it does not exist. A changed durability or bound is applied; nothing moves into memory or "
    "out "
    "of it.";

constexpr settings::table tables[] = {
    {.name = "gateway", .keys = gateway_keys},
    {.name = "store", .meaning = "Where messages are stored.", .keys = store_keys},
    {.name = "commit",
     .meaning = "When published messages are written. Every confirm follows its commit.",
     .keys = commit_keys},
    {.name = "flash", .keys = flash_keys},
    {.name = "clock", .keys = clock_keys},
    {.name = "native", .keys = native_keys},
    {.name = "log", .keys = log_keys},
    {.name = "exchange",
     .repeats = true,
     .meaning =
         "Made at the start if it does not exist. amq.direct, amq.fanout, amq.topic and amq.headers always exist.",
     .keys = exchange_keys},
    {.name = "queue", .repeats = true, .meaning = definitions, .keys = queue_keys},
    {.name = "topic", .repeats = true, .meaning = definitions, .keys = topic_keys},
    {.name = "binding",
     .repeats = true,
     .meaning = "From an exchange to one queue, topic or exchange. Made at the start if it does not exist.",
     .keys = binding_keys},
};

}  // namespace

settings::schema known_settings() { return tables; }

}  // namespace tidegate
