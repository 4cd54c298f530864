#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/use_awaitable.hpp>
#include <map>

#include "client/tool/body_source.hpp"
#include "client/tool/command.hpp"
#include "client/tool/text.hpp"

namespace tidegate::tool {

namespace json = boost::json;
using client::awaitable;
using std::chrono::steady_clock;

namespace {

class publication {
 public:
  publication(environment& environment, const publish_arguments& arguments);
  ~publication() { environment_.broker.on_confirmation({}); }

  awaitable<int> run();

 private:
  awaitable<void> send_all();
  awaitable<void> show_progress();
  void settled(const client::confirmation& confirmation);
  int summarize() const;
  void tell_failures() const;
  std::string why_unroutable() const;
  json::object summary() const;

  std::uint64_t unconfirmed() const { return sent_ - confirmed_ - refused_ - unroutable_; }
  double seconds() const { return std::chrono::duration<double>(ended_ - began_).count(); }
  std::uint64_t rate(std::uint64_t amount) const {
    return seconds() > 0 ? static_cast<std::uint64_t>(static_cast<double>(amount) / seconds()) : 0;
  }
  bool wants_progress() const { return arguments_.progress || ::isatty(STDERR_FILENO) == 1; }

  environment& environment_;
  const publish_arguments& arguments_;
  std::unique_ptr<body_source> bodies_;
  task_group tasks_;
  std::uint64_t sent_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t confirmed_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t unroutable_ = 0;
  std::map<std::pair<errc, std::string>, std::uint64_t> reasons_;
  std::optional<std::string> ending_;  // why the connection ended before every publish was settled
  bool all_sent_ = false;
  steady_clock::time_point began_;
  steady_clock::time_point ended_;
};

publication::publication(environment& environment, const publish_arguments& arguments)
    : environment_(environment),
      arguments_(arguments),
      bodies_(make_body_source(environment.executor, arguments)),
      tasks_(environment.executor, environment.interruption) {
  environment_.broker.on_confirmation([this](const client::confirmation& confirmation) { settled(confirmation); });
}

void publication::settled(const client::confirmation& confirmation) {
  if (confirmation.failure) {
    // A broker that gives each refusal a different text must not make this map grow.
    constexpr std::size_t reasons_max = 100;
    ++refused_;
    if (reasons_.size() < reasons_max) ++reasons_[{confirmation.failure->code, confirmation.failure->text}];
  } else if (confirmation.unroutable) {
    ++unroutable_;
  } else {
    ++confirmed_;
  }
}

awaitable<void> publication::send_all() {
  message_view message;
  message.exchange = arguments_.exchange;
  message.routing_key = arguments_.routing_key;
  message.key = arguments_.partition_key;
  for (const auto& [name, value] : arguments_.headers) message.headers.push_back({name, value});
  message.properties = arguments_.properties;
  client::publish_options options;
  options.mandatory = arguments_.mandatory;
  options.delay = arguments_.delay;
  const bool counts = arguments_.first_sequence.has_value() || !environment_.producer.empty();
  if (counts) options.sequence = arguments_.first_sequence.value_or(environment_.info.producer_sequence + 1);
  while (const auto body = co_await bodies_->next()) {
    message.body = *body;
    co_await environment_.broker.send(message, options);
    ++sent_;
    bytes_ += body->size();
    if (counts) ++options.sequence;
  }
  all_sent_ = true;
  co_await environment_.broker.drain();
  tasks_.stop();
}

awaitable<void> publication::show_progress() {
  boost::asio::steady_timer second(environment_.executor);
  std::uint64_t before = 0;
  for (;;) {
    second.expires_after(std::chrono::seconds(1));
    co_await second.async_wait(boost::asio::use_awaitable);
    remark(
        fmt::format("{} sent, {} confirmed, {} confirmed in the last second", sent_, confirmed_, confirmed_ - before));
    before = confirmed_;
  }
}

json::object publication::summary() const {
  json::array failures;
  for (const auto& [reason, count] : reasons_) {
    failures.push_back({{"code", name(reason.first)}, {"text", reason.second}, {"count", count}});
  }
  json::object summary{{"sent", sent_},
                       {"confirmed", confirmed_},
                       {"refused", refused_},
                       {"unroutable", unroutable_},
                       {"unconfirmed", unconfirmed()},
                       {"milliseconds", static_cast<std::uint64_t>(seconds() * 1'000)},
                       {"messages_per_second", rate(confirmed_)},
                       {"body_bytes_per_second", rate(bytes_)},
                       {"failures", std::move(failures)}};
  if (ending_) summary["connection"] = *ending_;
  return summary;
}

void publication::tell_failures() const {
  for (const auto& [reason, count] : reasons_) {
    remark(fmt::format("{} refused: {}: {}", count, name(reason.first), reason.second));
  }
  if (unroutable_ > 0) remark(fmt::format("{} unroutable, stored nowhere: {}", unroutable_, why_unroutable()));
  if (unconfirmed() > 0) remark(fmt::format("{} without a confirm: they may or may not be stored", unconfirmed()));
  if (ending_) remark(*ending_);
  if (!all_sent_) remark("stopped before all was sent");
}

std::string publication::why_unroutable() const {
  const std::string key = to_line(arguments_.routing_key);
  if (arguments_.exchange.empty()) return fmt::format("no queue '{}'", key);
  return fmt::format("no binding of exchange '{}' matches the key '{}'", to_line(arguments_.exchange), key);
}

int publication::summarize() const {
  if (environment_.json) {
    print_json(summary());
  } else {
    print_line(fmt::format("{} of {} confirmed in {:.3f} s: {} messages/s, {} body bytes/s", confirmed_, sent_,
                           seconds(), rate(confirmed_), rate(bytes_)));
  }
  tell_failures();
  return all_sent_ && confirmed_ == sent_ ? exit_ok : exit_failure;
}

awaitable<int> publication::run() {
  began_ = steady_clock::now();
  tasks_.start(send_all());
  if (wants_progress()) tasks_.start(show_progress());
  try {
    co_await tasks_.finish();
  } catch (const boost::system::system_error& ended) {
    ending_ = ended.what();
  } catch (const error_exception& refused) {
    ending_ = refused.cause.text;
  }
  ended_ = steady_clock::now();
  co_return summarize();
}

}  // namespace

awaitable<int> publish(environment& environment, const publish_arguments& arguments) {
  publication publication(environment, arguments);
  co_return co_await publication.run();
}

}  // namespace tidegate::tool
