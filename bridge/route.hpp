// A route: one topic's partitions to one destination. Owns the sink, opens it again after it broke, and judges its
// health by its confirmations. Owns a forwarder for each partition. No sockets and no time of its own: call tick() a
// few times a second.
#pragma once

#include <functional>
#include <memory>

#include "bridge/backoff.hpp"
#include "bridge/forwarder.hpp"
#include "bridge/status.hpp"

namespace tidegate::bridge {

struct route_settings {
  std::string name;
  std::string group;  // `<bridge>/<route>`: the group of the cursors, and the lease that one bridge at a time holds
  std::string topic;
  std::string sink;  // its kind, for status
  std::string destination;
  milliseconds backoff_min{1'000};
  milliseconds backoff_max{60'000};
  milliseconds progress_deadline{60'000};
  time_bounds times = {};
};

class route final : public sink_events {
 public:
  using source_factory = std::function<std::unique_ptr<source>(route&, std::uint32_t partition)>;

  route(route_settings settings, source_factory sources, const clock& clock);
  // Call first. The sink reports its events to this route.
  void use(std::unique_ptr<sink> sink);

  // Events of the session with the broker. Partitions only grow, unless the log is another one.
  void source_up(const identity& log, std::uint32_t partitions);
  void source_lost();
  // The broker does not have the topic, or another bridge of this name holds the route's lease.
  void source_missing(const std::string& reason);
  bool source_is_up() const { return source_up_; }
  // Returns the forwarder that a source reports to. Call pump() after the report.
  forwarder& at(std::uint32_t partition) { return *lanes_[partition].forward; }
  void pump();

  void tick();
  // Retries at once instead of after the backoff: the link may be back.
  void kick();
  void stop();
  bool finished() const;
  const std::string& topic() const { return settings_.topic; }
  const std::string& group() const { return settings_.group; }
  std::uint32_t partitions() const { return partitions_; }
  const identity& log() const { return log_; }
  route_status status();

  void opened() override;
  void recovered(std::uint32_t partition, std::uint64_t ticket, recovery found) override;
  void confirmed(std::uint32_t partition, offset_t offset, destination where) override;
  void refused(std::uint32_t partition, offset_t offset, refusal_cause cause, std::string reason) override;
  void reported() override { pump(); }
  void unreachable(std::string reason) override;
  void broken(std::string reason, bool record_refused) override;

 private:
  struct lane {
    std::unique_ptr<source> from;
    std::unique_ptr<forwarder> forward;
  };
  enum class stage { waiting, opening, open, backing_off };
  // The sink's state as the route sees it.
  struct link {
    explicit link(const route_settings& settings) : retries(settings.backoff_min, settings.backoff_max) {}

    stage at = stage::waiting;
    pace at_pace = pace::normal;
    backoff retries;
    milliseconds retry_at{0};
    milliseconds progress_at{0};  // of the last confirmation, or when there was nothing to confirm
    std::string last_error;
    bool unreachable = false;
    std::uint64_t restarts = 0;
  };

  void add_lane();
  void open_sink();
  void close_sink();
  void check_health();
  void healthy();
  bool past_suspects() const;
  bool in_flight() const;
  std::string state() const;
  partition_status partition_of(std::uint32_t partition);

  const route_settings settings_;
  const source_factory sources_;
  const clock& clock_;
  std::unique_ptr<sink> sink_;
  std::vector<lane> lanes_;  // those from partitions_ on are of an earlier topic, and rest
  std::uint32_t partitions_ = 0;
  identity log_;
  link link_;
  bool source_up_ = false;
  bool stopping_ = false;
  std::size_t first_ = 0;  // index of the lane to pump first, in turn
};

}  // namespace tidegate::bridge
