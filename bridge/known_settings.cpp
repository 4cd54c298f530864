#include "bridge/known_settings.hpp"

#include "broker/base/limits.hpp"

namespace tidegate::bridge {
namespace {

using settings::kind;

constexpr settings::key broker_keys[] = {
    {.name = "address",
     .standard = R"("127.0.0.1:7420")",
     .meaning = "The broker's native port: host, host:port or [v6]:port."},
    {.name = "token", .standard = R"("")", .meaning = "What the broker's native.token says.", .secret = true},
};

constexpr settings::key bridge_keys[] = {
    {.name = "name",
     .standard = R"("bridge")",
     .meaning =
         "Cursors are stored at the broker as the group `<name>/<route>`, which is also the lease that one bridge at "
         "a time holds: a second bridge of the name waits, unless it is started with --take-over."},
    {.name = "status_file",
     .standard = R"("/run/tidegate/bridge-status.json")",
     .meaning = "Written up to once a second: put it on a tmpfs."},
    {.name = "backoff_min",
     .takes = kind::duration,
     .standard = R"("1s")",
     .meaning = "Pause before the second attempt to reach a destination. Doubled up to backoff_max, with jitter.",
     .least = 1},
    {.name = "backoff_max",
     .takes = kind::duration,
     .standard = R"("60s")",
     .meaning = "Longest pause between attempts, no less than backoff_min. SIGHUP ends a pause at once."},
    {.name = "progress_deadline",
     .takes = kind::duration,
     .standard = R"("60s")",
     .meaning = "A destination that confirms nothing for so long is connected to again."},
    {.name = "time_ahead_max",
     .takes = kind::duration,
     .standard = R"("30m")",
     .meaning =
         "A record whose time is further in the future is sent with the time of its arrival; its own time is in the "
         "header tg-timestamp."},
    {.name = "time_behind_max",
     .takes = kind::duration,
     .standard = R"("3650d")",
     .meaning = "The same for a record whose time is further in the past."},
};

constexpr settings::key route_keys[] = {
    {.name = "name", .meaning = "Of this route; no two routes have the same.", .required = true},
    {.name = "topic", .meaning = "Topic of the broker.", .required = true},
    {.name = "sink", .takes = kind::word, .meaning = "Kind of the destination.", .required = true, .words = {"kafka"}},
    {.name = "destination", .meaning = "Topic of the Kafka.", .required = true},
    {.name = "brokers", .meaning = "host:port of some Kafka brokers, separated by commas.", .required = true},
    {.name = "linger_ms",
     .takes = kind::number,
     .standard = "500",
     .meaning = "Milliseconds that a record waits for others to share its request.",
     .most = 60'000},
    {.name = "batch_bytes",
     .takes = kind::size,
     .standard = R"("256K")",
     .meaning = "Size of a request to a partition.",
     .least = 1 * limits::kib,
     .most = 16 * limits::mib},
    {.name = "queue_bytes",
     .takes = kind::size,
     .standard = R"("8M")",
     .meaning = "Memory for records that are sent and not confirmed.",
     .least = 64 * limits::kib,
     .most = 1'024 * limits::mib},
    {.name = "compression", .standard = R"("zstd")", .meaning = "none, gzip, snappy, lz4 or zstd."},
    {.name = "partitioner",
     .takes = kind::word,
     .standard = R"("source")",
     .meaning =
         "Partition of the destination. `source`: the number of the source partition; `murmur2`: by key as Java's "
         "clients; `crc32`: by key as librdkafka's. Records without a key follow their source partition.",
     .words = {"source", "murmur2", "crc32"}},
    {.name = "properties",
     .takes = kind::text_table,
     .standard = "{ }",
     .meaning = "Further settings of librdkafka. Those that the bridge's promises rest on are refused."},
};

constexpr settings::table tables[] = {
    {.name = "broker", .meaning = "Where records come from.", .keys = broker_keys},
    {.name = "bridge", .keys = bridge_keys},
    {.name = "route", .repeats = true, .meaning = "One topic to one destination. At least one.", .keys = route_keys},
};

}  // namespace

settings::schema known_settings() { return tables; }

}  // namespace tidegate::bridge
