#include "bridge/status.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace tidegate::bridge {
namespace {

namespace json = boost::json;

json::array ranges_json(const std::vector<offset_range>& ranges) {
  json::array list;
  for (const offset_range& range : ranges)
    list.push_back(json::object{{"first", range.begin}, {"last", range.end - 1}});
  return list;
}

json::object partition_json(const partition_status& status) {
  const progress& counters = status.counters;
  return {
      {"partition", status.partition},
      {"state", status.state},
      {"position", status.position},
      {"lag_records", status.lag_records},
      {"lag_minutes", status.lag_minutes ? json::value(*status.lag_minutes) : json::value(nullptr)},
      {"sent_records", counters.sent_records},
      {"sent_bytes", counters.sent_bytes},
      {"confirmed_records", counters.confirmed_records},
      {"confirmed_bytes", counters.confirmed_bytes},
      {"duplicates_avoided", counters.duplicates_avoided},
      {"refused_records", counters.refused_records},
      {"times_corrected", counters.times_corrected},
      {"lost_records", counters.lost_records},
      {"lost_ranges", ranges_json(counters.lost_ranges)},
  };
}

json::object route_json(const route_status& status) {
  json::array partitions;
  for (const partition_status& partition : status.partitions) partitions.push_back(partition_json(partition));
  return {
      {"name", status.name},
      {"topic", status.topic},
      {"sink", status.sink},
      {"destination", status.destination},
      {"state", status.state},
      {"last_error", status.last_error},
      {"retry_in_ms", status.retry_in ? json::value(status.retry_in->count()) : json::value(nullptr)},
      {"sink_restarts", status.sink_restarts},
      {"partitions", std::move(partitions)},
  };
}

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw std::system_error(errno, std::generic_category(), "status file " + path + ": " + what);
}

}  // namespace

std::string to_json(const bridge_status& status, milliseconds updated) {
  json::array routes;
  for (const route_status& route : status.routes) routes.push_back(route_json(route));
  return json::serialize(json::object{
      {"name", status.name},
      {"broker", status.broker},
      {"broker_state", status.broker_state},
      {"gateway", status.gateway},
      {"incarnation", status.incarnation},
      {"routes", std::move(routes)},
      {"updated_ms", updated.count()},
  });
}

void write_status_file(const std::string& path, const std::string& json) {
  const std::string written = path + ".new";
  const int file = ::open(written.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail(path, "cannot be created");
  // Not synced: the status is worth nothing after a power cut, and flash wears.
  const bool whole = ::write(file, json.data(), json.size()) == static_cast<ssize_t>(json.size());
  if (::close(file) != 0 || !whole) fail(path, "cannot be written");
  if (std::rename(written.c_str(), path.c_str()) != 0) fail(path, "cannot be renamed into place");
}

}  // namespace tidegate::bridge
