#include "bridge/daemon.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <map>

#include "bridge/broker_source.hpp"
#include "bridge/kafka_sink.hpp"
#include "broker/base/log.hpp"

namespace tidegate::bridge {
namespace {

namespace asio = boost::asio;

constexpr milliseconds tick_interval{50};
constexpr milliseconds status_interval{1'000};
constexpr milliseconds status_interval_max{10'000};  // an unchanged status is written again: the bridge is alive
constexpr milliseconds stop_time{5'000};             // longest wait for confirmations before the end

class daemon {
 public:
  explicit daemon(const config& config)
      : config_(config),
        session_(context_.get_executor(), {client::parse_endpoint(config.broker_address).value(), config.broker_token,
                                           "tidegate-bridge/" + config.name, config.take_over}),
        ticker_(context_),
        signals_(context_, SIGTERM, SIGINT, SIGHUP) {
    for (const route_config& settings : config.routes) add_route(settings);
  }

  void run() {
    asio::co_spawn(context_, session_.run(), asio::detached);
    wait_for_signal();
    tick();
    context_.run();
    tell_status(true);
  }

 private:
  void add_route(const route_config& settings) {
    route_settings named = settings.route;
    named.group = config_.name + "/" + named.name;
    auto made = std::make_unique<route>(
        std::move(named),
        [this](route& route, std::uint32_t partition) { return make_broker_source(session_, route, partition); },
        clock_);
    made->use(make_kafka_sink(context_.get_executor(), settings.kafka, settings.route.topic, *made));
    session_.serve(*made);
    routes_.push_back(std::move(made));
  }

  void wait_for_signal() {
    signals_.async_wait([this](boost::system::error_code failure, int signal) {
      if (failure) return;
      if (signal == SIGHUP) {
        for (const auto& route : routes_) route->kick();
      } else if (stopping_since_) {
        return context_.stop();  // the second signal: do not wait
      } else {
        begin_stop();
      }
      wait_for_signal();
    });
  }

  void begin_stop() {
    log::info("stopping");
    stopping_since_ = clock_.monotonic();
    for (const auto& route : routes_) route->stop();
  }

  bool may_end() const {
    if (!stopping_since_) return false;
    for (const auto& route : routes_) {
      if (!route->finished()) return clock_.monotonic() - *stopping_since_ >= stop_time;
    }
    return true;
  }

  void tick() {
    for (const auto& route : routes_) route->tick();
    tell_status(false);
    // Unfinished records are found again at the next start: the cursor and its intent are stored.
    if (may_end()) return context_.stop();
    ticker_.expires_after(tick_interval);
    ticker_.async_wait([this](boost::system::error_code failure) {
      if (!failure) tick();
    });
  }

  void tell_status(bool last) {
    const milliseconds now = clock_.monotonic();
    if (!last && now - status_looked_at_ < status_interval) return;
    status_looked_at_ = now;
    const bridge_status status = status_now();
    tell_changes(status);
    std::string json = to_json(status, milliseconds{0});
    if (!last && json == status_written_ && now - status_written_at_ < status_interval_max) return;
    status_written_ = std::move(json);
    status_written_at_ = now;
    try {
      write_status_file(config_.status_file, to_json(status, clock_.wall()));
      status_failure_.clear();
    } catch (const std::system_error& failure) {
      if (status_failure_ != failure.what()) log::warning("{}", failure.what());
      status_failure_ = failure.what();
    }
  }

  bridge_status status_now() const {
    bridge_status status{config_.name,
                         config_.broker_address,
                         std::string(session_.state()),
                         session_.broker().gateway,
                         session_.broker().incarnation,
                         {}};
    for (const auto& route : routes_) status.routes.push_back(route->status());
    return status;
  }

  // Logs one line for each change of state. A change between "caught up" and "forwarding" is not logged.
  void tell_changes(const bridge_status& status) {
    for (const route_status& route : status.routes) {
      tell_change(route.name, route.state);
      for (const partition_status& partition : route.partitions) {
        const std::string state = partition.state == "caught up" ? "forwarding" : partition.state;
        tell_change(fmt::format("{} {}/{}", route.name, route.topic, partition.partition), state);
      }
    }
  }

  void tell_change(const std::string& subject, const std::string& state) {
    std::string& told = told_[subject];
    if (told != state) log::info("route {}: {}", subject, state);
    told = state;
  }

  const config& config_;
  const system_clock clock_;
  asio::io_context context_{1};
  session session_;
  std::vector<std::unique_ptr<route>> routes_;
  asio::steady_timer ticker_;
  asio::signal_set signals_;
  std::optional<milliseconds> stopping_since_;
  milliseconds status_looked_at_{0};
  milliseconds status_written_at_{0};
  std::string status_written_;
  std::string status_failure_;
  std::map<std::string, std::string> told_;
};

}  // namespace

void run_daemon(const config& config) { daemon(config).run(); }

}  // namespace tidegate::bridge
