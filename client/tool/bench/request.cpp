#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "broker/model/properties.hpp"
#include "client/tool/bench/body.hpp"
#include "client/tool/bench/consumer.hpp"
#include "client/tool/bench/publisher.hpp"

namespace tidegate::tool::bench {
namespace {

// If no reply comes for so long, the missing replies are given up.
constexpr std::chrono::seconds patience{5};

class asker final : public role {
 public:
  asker(setting& setting, link& on, member who, std::vector<route> routes, consumed_queue replies)
      : setting_(setting),
        on_(on),
        who_(who),
        routes_(std::move(routes)),
        properties_(encode(properties{.reply_to = replies.name})),
        body_(setting.asked.size, setting.asked.verify),
        unconfirmed_(setting, on, 0, 1),
        answered_(on.at.context().get_executor()),
        replies_(setting, on, 1, {std::move(replies)}) {}

  awaitable<void> prepare() override { return replies_.consume(); }
  awaitable<void> work() override;
  std::span<const promise> promises() override { return unconfirmed_.conclude(); }

 private:
  awaitable<void> ask_all();
  awaitable<void> ask(steady_clock::time_point due);
  awaitable<void> take_replies();

  setting& setting_;
  link& on_;
  member who_;
  std::vector<route> routes_;
  std::string properties_;  // of each request
  body_maker body_;
  unconfirmed unconfirmed_;
  client::signal answered_;
  taking replies_;
  std::size_t next_route_ = 0;
  std::uint64_t unanswered_ = 0;
  bool has_asked_all_ = false;
};

awaitable<void> asker::ask(steady_clock::time_point due) {
  const route& route = routes_[next_route_];
  next_route_ = (next_route_ + 1) % routes_.size();
  message_view message;
  message.exchange = route.exchange;
  message.routing_key = route.routing_key;
  message.properties = properties_;
  message.body = body_.make({.run = setting_.run,
                             .publisher = 0,
                             .target = who_.number,
                             .sequence = unconfirmed_.next_sequence(0),
                             .sent_ns = to_ns(due)});
  co_await unconfirmed_.send(message, 0, due);
  ++unanswered_;
}

awaitable<void> asker::ask_all() {
  pacing pacing(setting_, who_, setting_.asked.rate);
  for (auto now = steady_clock::now(); !pacing.is_over(now); now = steady_clock::now()) {
    const auto due = pacing.due(now);
    if (due > now) {
      co_await wait_a_while(due);
    } else if (unanswered_ >= setting_.asked.window) {
      co_await answered_.wait_until(now + look_interval);
    } else if (!unconfirmed_.has_room()) {
      co_await unconfirmed_.room();
    } else {
      co_await ask(due);
      pacing.sent();
    }
  }
  on_.at.figures(0).add(tally::unsent, pacing.unsent());
  has_asked_all_ = true;
}

awaitable<void> asker::take_replies() {
  auto heard = steady_clock::now();
  while (!has_asked_all_ || (unanswered_ > 0 && steady_clock::now() < heard + patience)) {
    const auto reply = co_await replies_.next(look_interval, timing::round_trip);
    if (!reply) continue;
    heard = steady_clock::now();
    unanswered_ -= std::min<std::uint64_t>(1, unanswered_);
    answered_.notify();
    co_await replies_.acknowledge();
  }
}

awaitable<void> asker::work() {
  using namespace boost::asio::experimental::awaitable_operators;
  co_await (ask_all() && take_replies());
  co_await unconfirmed_.drain();
}

class answerer final : public role {
 public:
  answerer(setting& setting, link& on, std::vector<consumed_queue> queues)
      : setting_(setting), unconfirmed_(setting, on, 1, 1), requests_(setting, on, 0, std::move(queues)) {}

  awaitable<void> prepare() override { return requests_.consume(); }
  awaitable<void> work() override;

 private:
  awaitable<void> answer(const client::delivery& request);

  setting& setting_;
  unconfirmed unconfirmed_;
  taking requests_;
};

awaitable<void> answerer::answer(const client::delivery& request) {
  const auto properties = read_properties(request.message.properties);
  if (!properties || !properties->reply_to) co_return;  // not a request of this tool: nobody waits for an answer
  while (!unconfirmed_.has_room()) co_await unconfirmed_.room();
  message_view reply;
  reply.routing_key = *properties->reply_to;
  reply.body = request.message.body;
  co_await unconfirmed_.send(reply, 0, steady_clock::now());
}

// The reply is sent before the request is acknowledged: a server that dies in between answers twice instead of never.
awaitable<void> answerer::work() {
  while (!setting_.finish.load(std::memory_order_relaxed)) {
    const auto request = co_await requests_.next(look_interval, timing::publish_to_deliver);
    if (!request) continue;
    co_await answer(*request);
    co_await requests_.acknowledge();
  }
  co_await unconfirmed_.drain();
}

}  // namespace

std::unique_ptr<role> make_asker(setting& setting, link& on, member who, std::vector<route> routes,
                                 consumed_queue replies) {
  return std::make_unique<asker>(setting, on, who, std::move(routes), std::move(replies));
}

std::unique_ptr<role> make_answerer(setting& setting, link& on, std::vector<consumed_queue> queues) {
  return std::make_unique<answerer>(setting, on, std::move(queues));
}

}  // namespace tidegate::tool::bench
