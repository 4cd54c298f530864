#include "broker/main/daemon.hpp"

#include <malloc.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <functional>
#include <mutex>

#include "broker/base/limits.hpp"
#include "broker/base/log.hpp"
#include "broker/base/process.hpp"
#include "broker/frontends/native/serve.hpp"
#include "broker/net/listener.hpp"

namespace tidegate {
namespace asio = boost::asio;
namespace {

constexpr std::chrono::seconds tick_interval{10};
constexpr milliseconds stop_poll_interval{5};
// For the last commits, and for peers to receive their last answers.
constexpr std::chrono::seconds stop_time_max{10};

// Declares what the configuration defines. Idempotent: unchanged definitions write nothing but one empty commit.
void declare(const core::api::services& core, const configuration& configuration) {
  // A full store takes nothing new, but has to start, or it could not be emptied.
  const auto done = [&](const result<void>& declared) {
    if (declared || !core.inspecting.is_full()) return declared.value();
    log::error("from the configuration, not made: {}", declared.error().text);
  };
  for (const auto& exchange : configuration.exchanges) {
    done(core.defining.declare_exchange(exchange, {}));
  }
  for (const auto& queue : configuration.queues) done(core.defining.adopt_queue(queue));
  for (const auto& topic : configuration.topics) done(core.defining.adopt_topic(topic));
  for (const auto& binding : configuration.bindings) done(core.defining.bind(binding, {}));
  if (core.inspecting.routes().find_definition(configuration.native.device_exchange) == nullptr) {
    throw error_exception(
        {errc::not_found, "native.device_exchange: no exchange '" + configuration.native.device_exchange + "'"});
  }
}

// The topics' bounds may add up to more than the store: then the store's own mark decides before they do.
void check_bounds(const core::api::services& core, const store::store_options& options) {
  std::uint64_t bytes = 0, memory_bytes = 0;
  for (const auto& row : core.inspecting.list_topics()) {
    auto& sum = row.definition->durability.is_memory() ? memory_bytes : bytes;
    sum += row.definition->retention_bytes * row.partitions.size();
  }
  const auto room = static_cast<std::uint64_t>(store::keep_below * static_cast<double>(options.bytes_max));
  if (bytes > room) {
    log::warning(
        "the topics' retention_bytes add up to {} MiB, and logs have {} MiB of the store (70 % of "
        "store.bytes_max): beyond that the largest topics lose their oldest records early",
        bytes >> 20, room >> 20);
  }
  if (memory_bytes > options.memory_bytes_max) {
    log::warning(
        "the retention_bytes of topics in memory add up to {} MiB, and store.memory_bytes_max is {} MiB: "
        "beyond that the largest of them lose their oldest records early",
        memory_bytes >> 20, options.memory_bytes_max >> 20);
  }
}

// Without descriptors, new connections wait. Warns before that happens.
void allow_connections(const configuration& configuration) {
  const std::uint64_t wanted = configuration.native_connections_max + limits::own_descriptors;
  const std::uint64_t allowed = allow_open_files(wanted);
  if (allowed >= wanted) return;
  log::warning(
      "native.connections_max is {}, and this process may open {} files (ulimit -n, LimitNOFILE): raise the limit to "
      "{}, "
      "or others will have to wait to be accepted",
      configuration.native_connections_max, allowed, wanted);
}

// Called on the writer's thread when a result is there. Outlives the loop that it wakes.
class doorbell {
 public:
  void ring() {
    const std::lock_guard guard(mutex_);
    if (answer_) answer_();
  }
  void connect(std::function<void()> answer) {
    const std::lock_guard guard(mutex_);
    answer_ = std::move(answer);
  }

 private:
  std::mutex mutex_;
  std::function<void()> answer_;
};

class daemon {
 public:
  explicit daemon(const configuration& configuration)
      : clock_(configuration.clock_trust),
        store_(configuration.store),
        broker_(store_, clock_, configuration.core),
        front_end_(broker_.services(), configuration.native),
        listener_(net::listener::open(io_, net::parse_address(configuration.native_listen).value(),
                                      configuration.native_connections_max)
                      .value()) {
    store_.on_result([this] { doorbell_.ring(); });
    doorbell_.connect([this] { asio::post(io_, [this] { broker_.collect(); }); });
    broker_.on_work([this](milliseconds wait) { work(wait); });
    broker_.on_notice([this] { asio::post(io_, [this] { broker_.tell(); }); });
    broker_.flash().measure_by(meter_);
    broker_.tick();  // notes what filling a new store wrote, with the first commit
    warn_without_measure(configuration);
    declare(broker_.services(), configuration);
    check_bounds(broker_.services(), configuration.store);
    allow_connections(configuration);
  }

  // Connections end with the loop, and what they release must not wake it.
  ~daemon() {
    doorbell_.connect({});
    broker_.on_work([](milliseconds) {});
    broker_.on_notice([] {});
  }

  void run() {
    asio::signal_set signals(io_, SIGINT, SIGTERM, SIGHUP);
    obey(signals);
    tick();
    asio::co_spawn(
        io_, listener_.run([this](net::tcp::socket socket) { return native::serve(std::move(socket), front_end_); }),
        [](std::exception_ptr cause) {
          if (cause) std::rethrow_exception(cause);
        });
    malloc_trim(0);  // a start with many definitions needs several times their memory for a moment
    log::info("ready: native protocol on {}, gateway {}, store {} ({})", net::to_string(listener_.address()),
              front_end_.settings().gateway, store_.start().incarnation, store_.is_full() ? "full" : "open");
    io_.run();
    finish();
  }

 private:
  void obey(asio::signal_set& signals) {
    signals.async_wait([this, &signals](const boost::system::error_code& failure, int signal) {
      if (failure) return;
      if (signal != SIGHUP) return stop(signal);
      log::info("SIGHUP: ignored, the configuration is read at the start only");
      obey(signals);
    });
  }

  void work(milliseconds wait) {
    if (wait.count() == 0) {
      asio::post(io_, [this] { broker_.flush(); });
      return;
    }
    flush_.expires_after(wait);
    flush_.async_wait([this](const boost::system::error_code& failure) {
      if (!failure) broker_.flush();
    });
  }

  void warn_without_measure(const configuration& configuration) {
    if (configuration.core.commit.budget_bytes_per_day == 0 || broker_.flash().is_known()) return;
    log::warning("flash.budget_bytes_per_day is not kept: this kernel does not tell what was written (/proc/self/io)");
  }

  void tick() {
    tick_.expires_after(tick_interval);
    tick_.async_wait([this](const boost::system::error_code& failure) {
      if (failure) return;
      broker_.tick();
      tick();
    });
  }

  void stop(int signal) {
    log::info("signal {}: stopping", signal);
    listener_.stop();
    deadline_.expires_after(stop_time_max);
    deadline_.async_wait([this](const boost::system::error_code&) { io_.stop(); });
    wait_for_quiet();
  }

  void wait_for_quiet() {
    for (const auto& [id, session] : front_end_.sessions()) {
      session->close();
      session->wake();
    }
    if (front_end_.sessions().empty() && broker_.is_idle()) return io_.stop();
    broker_.flush_now();
    tick_.expires_after(stop_poll_interval);
    tick_.async_wait([this](const boost::system::error_code&) { wait_for_quiet(); });
  }

  void finish() {
    if (!broker_.is_idle()) {
      log::warning("stopped before the last commit was through; the next start replays the journal");
      return;
    }
    broker_.flash().measure();
    store_.close(broker_.flash().since_made());
    log::info("stopped");
  }

  system_clock clock_;
  kernel_flash_meter meter_;
  doorbell doorbell_;
  store::store store_;
  core::broker broker_;
  native::front_end front_end_;
  // Declared after what its coroutines use, so that they end first.
  asio::io_context io_{1};
  asio::steady_timer flush_{io_};
  asio::steady_timer tick_{io_};
  asio::steady_timer deadline_{io_};
  net::listener listener_;
};

}  // namespace

void run_daemon(const configuration& configuration) {
  daemon daemon(configuration);
  daemon.run();
}

}  // namespace tidegate
