// One rule: a topic's partitions to one destination. Owns the sink, opens it again when it breaks, and judges its
// health by what it confirms; owns a forwarder for each partition. No sockets and no time of its own: tick() is called
// a few times a second.
#pragma once

#include <functional>
#include <memory>

#include "bridge/backoff.hpp"
#include "bridge/forwarder.hpp"
#include "bridge/status.hpp"

namespace tidegate::bridge {

struct route_settings {
  std::string name;
  std::string group;  // `<bridge>/<route>`: commits the cursors, and is the lease that one bridge at a time holds
  std::string topic;
  std::string sink;  // its kind, for people
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
  // Before anything else. The sink tells its events to this route.
  void use(std::unique_ptr<sink> sink);

  // From the session with the broker. Partitions only grow, unless the log is another one.
  void source_up(const identity& log, std::uint32_t partitions);
  void source_lost();
  // The broker does not have the topic, or another bridge of our name does this route's work.
  void source_missing(const std::string& reason);
  bool source_is_up() const { return source_up_; }
  // Where a source tells its answers; pump() afterwards.
  forwarder& at(std::uint32_t partition) { return *lanes_[partition].forward; }
  void pump();

  void tick();
  // Try now what would be tried later: the link is said to be back.
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
  std::vector<lane> lanes_;  // one more than a topic has now may be left of an earlier one: those rest
  std::uint32_t partitions_ = 0;
  identity log_;

  stage stage_ = stage::waiting;
  pace pace_ = pace::normal;
  backoff backoff_;
  milliseconds retry_at_{0};
  milliseconds progress_at_{0};  // of the last confirmation, or when there was nothing to confirm
  std::string last_error_;
  bool unreachable_ = false;
  bool source_up_ = false;
  bool stopping_ = false;
  std::uint64_t restarts_ = 0;
  std::size_t first_ = 0;  // whose turn it is to be pumped first
};

}  // namespace tidegate::bridge
