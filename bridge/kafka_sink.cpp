#include "bridge/kafka_sink.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>

#include "bridge/kafka_producer.hpp"
#include "bridge/kafka_scan.hpp"

namespace tidegate::bridge {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds flush_time{4'000};

class kafka_sink final : public sink {
 public:
  kafka_sink(asio::any_io_executor executor, kafka_settings settings, std::string source_topic, sink_events& events)
      : executor_(std::move(executor)),
        settings_(std::move(settings)),
        source_topic_(std::move(source_topic)),
        events_(events) {}

  ~kafka_sink() override {
    close();
    worker_.join();
  }

  void open(pace pace) override {
    pace_ = pace;
    begin_life();
    work([this, pace](const std::stop_token&) -> completion {
      auto made = std::make_shared<kafka_producer>(settings_, pace);
      return [this, made] { adopt(made); };
    });
  }

  void close() override {
    ++life_;
    stop_.request_stop();
    if (descriptor_) {
      // The producer owns the descriptor and closes it.
      descriptor_->release();
      descriptor_.reset();
    }
    if (producer_) asio::post(worker_, [doomed = std::move(producer_)]() mutable { doomed.reset(); });
    producer_.reset();
  }

  void recover(std::uint64_t ticket, recovery_request request) override {
    work([this, ticket, request = std::move(request),
          count = producer_->partitions()](const std::stop_token& stop) -> completion {
      recovery found = scan_destination(settings_, request, count, stop);
      return [this, ticket, partition = request.partition, found = std::move(found)]() mutable {
        events_.recovered(partition, ticket, std::move(found));
      };
    });
  }

  send_outcome send(const identity& source, std::uint32_t partition, const record_view& record,
                    std::string& reason) override {
    if (!producer_) return send_outcome::full;
    const send_outcome outcome = producer_->send(source, source_topic_, partition, record, reason);
    if (outcome == send_outcome::full && !reason.empty()) break_later(reason);
    return outcome;
  }

  void flush() override {
    if (producer_) asio::post(worker_, [producer = producer_] { producer->flush(flush_time); });
  }

 private:
  using completion = std::function<void()>;

  void begin_life() {
    ++life_;
    stop_ = std::stop_source();
  }

  // Runs `job` on the worker, then the completion that `job` returns on the executor's thread. The completion is
  // dropped if the sink was closed in between. A job that throws breaks the sink.
  template <class Job>
  void work(Job job) {
    asio::post(worker_, [this, job = std::move(job), life = life_, stop = stop_.get_token(),
                         here = std::weak_ptr<const bool>(alive_)]() mutable {
      if (stop.stop_requested()) return;
      completion done;
      try {
        done = job(stop);
      } catch (const std::exception& failure) {
        done = [this, reason = std::string(failure.what())] { break_with(reason, false); };
      }
      asio::post(executor_, [this, life, here, done = std::move(done)] {
        if (!here.expired() && life == life_) done();
      });
    });
  }

  void adopt(const std::shared_ptr<kafka_producer>& made) {
    producer_ = made;
    descriptor_.emplace(executor_, producer_->event_descriptor());
    wait_for_reports();
    events_.opened();
  }

  void wait_for_reports() {
    descriptor_->async_read_some(
        asio::buffer(&count_, sizeof count_),
        [this, life = life_, here = std::weak_ptr<const bool>(alive_)](auto failure, std::size_t) {
          if (failure || here.expired() || life != life_) return;
          take_reports();
          if (life == life_) wait_for_reports();
        });
  }

  // Reports confirmations first, whatever the order of the reports: a broken producer does not undo them.
  void take_reports() {
    std::optional<kafka_report> end;
    bool refused = false;
    std::optional<std::string> unreachable;
    producer_->take_reports([&](kafka_report report) {
      switch (report.what) {
        case kafka_report::kind::delivered: return events_.confirmed(report.partition, report.offset, report.where);
        case kafka_report::kind::unreachable: unreachable = std::move(report.reason); return;
        case kafka_report::kind::refused:
          if (pace_ == pace::one_by_one) {
            return events_.refused(report.partition, report.offset, report.cause, report.reason);
          }
          refused = true;
          break;
        case kafka_report::kind::failed:
        case kafka_report::kind::fatal: break;
      }
      if (!end || report.what == kafka_report::kind::refused) end = std::move(report);
    });
    if (end) return break_with(end->reason, refused);
    if (unreachable) return events_.unreachable(std::move(*unreachable));
    events_.reported();
  }

  void break_later(const std::string& reason) {
    asio::post(executor_, [this, reason, life = life_, here = std::weak_ptr<const bool>(alive_)] {
      if (!here.expired() && life == life_) break_with(reason, false);
    });
  }

  void break_with(const std::string& reason, bool refused) {
    close();
    events_.broken(reason, refused);
  }

  const asio::any_io_executor executor_;
  const kafka_settings settings_;
  const std::string source_topic_;
  sink_events& events_;
  pace pace_ = pace::normal;
  std::uint64_t life_ = 0;  // counts open() and close(): results from before the last of them are dropped
  std::stop_source stop_;
  std::shared_ptr<kafka_producer> producer_;
  std::optional<asio::posix::stream_descriptor> descriptor_;
  std::uint64_t count_ = 0;
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
  asio::thread_pool worker_{1};
};

}  // namespace

std::unique_ptr<sink> make_kafka_sink(asio::any_io_executor executor, kafka_settings settings, std::string source_topic,
                                      sink_events& events) {
  return std::make_unique<kafka_sink>(std::move(executor), std::move(settings), std::move(source_topic), events);
}

}  // namespace tidegate::bridge
