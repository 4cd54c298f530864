#include "client/tool/bench/company.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/limits.hpp"

namespace tidegate::tool::bench {

company::company(const bench_arguments& asked, std::uint32_t run, names names)
    : setting(asked), workers(asked.threads), asked_(asked), names_(std::move(names)) {
  setting.run = run;
}

link& company::connect(std::string_view what, std::size_t number, std::size_t window) {
  return connect_to(workers[next_worker_++ % workers.size()], what, number, window);
}

link& company::connect_to(worker& on, std::string_view what, std::size_t number, std::size_t window) {
  return links.emplace_back(on, fmt::format("tidegate bench {} {}", what, number), window);
}

std::vector<role*> company::senders(std::size_t from) const {
  std::vector<role*> found;
  for (std::size_t i = from; i < sources.size(); ++i) found.push_back(sources[i].role.get());
  return found;
}

watch* company::add_watch(checker::expectation expected, const std::vector<role*>& senders, std::size_t target) {
  if (!asked_.verify) return nullptr;
  expected.run = setting.run;
  watch& added = watches_.emplace_back(std::move(expected));
  added.senders = senders;
  added.target = target;
  return &added;
}

std::vector<route> company::queue_routes() const {
  std::vector<route> routes;
  for (std::size_t i = 0; i < asked_.queues; ++i) routes.push_back({"", names_.queue(i)});
  return routes;
}

void company::add_publishers(const std::vector<route>& routes) {
  const auto count = static_cast<std::uint32_t>(asked_.connections);
  for (std::uint32_t i = 0; i < count; ++i) {
    link& on = connect("publisher", i, asked_.window);
    sources.push_back({make_publisher(setting, on, {i, count}, routes), &on.at});
  }
}

std::vector<std::vector<consumed_queue>> company::share_queues(const std::vector<role*>& senders, bool fanned) {
  const std::size_t queues = asked_.queues, consumers = asked_.consumers;
  std::vector<std::vector<consumed_queue>> shares(consumers);
  if (consumers == 0) return shares;
  for (std::size_t queue = 0; queue < queues; ++queue) {
    const std::size_t readers = consumers <= queues ? 1 : (consumers - queue - 1) / queues + 1;
    const std::size_t target = fanned ? 0 : queue;
    checker::expectation expected;
    expected.name = names_.queue(queue);
    expected.target = static_cast<std::uint32_t>(target);
    expected.publishers = senders.size();
    expected.readers = readers;
    watch* const watch = add_watch(std::move(expected), senders, target);
    for (std::size_t reader = 0; reader < readers; ++reader) {
      shares[(queue + reader * queues) % consumers].push_back({names_.queue(queue), watch, reader});
    }
  }
  return shares;
}

void company::add_consumers(const std::vector<role*>& senders, bool fanned) {
  const auto shares = share_queues(senders, fanned);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    worker& with = workers[workers.size() - 1 - i % asked_.queues % workers.size()];
    link& on = connect_to(with, "consumer", i, 1);
    sinks.push_back({make_consumer(setting, on, shares[i]), &on.at});
  }
}

void company::add_producers(std::size_t lanes, produced_topic topic) {
  const auto count = static_cast<std::uint32_t>(asked_.connections * lanes);
  for (std::uint32_t i = 0; i < asked_.connections; ++i) {
    link& on = connect("producer", i);
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      const auto number = static_cast<std::uint32_t>(i * lanes + lane);
      sources.push_back({make_producer(setting, on, {number, count}, topic), &on.at});
    }
  }
}

void company::add_followers(const std::string& topic, std::uint32_t partitions, std::size_t stream,
                            const std::vector<role*>& senders) {
  std::vector<link*> readers;
  for (std::size_t i = 0; i < std::min<std::size_t>(asked_.consumers, partitions); ++i) {
    readers.push_back(&connect("reader", i));
  }
  for (std::uint32_t partition = 0; partition < partitions && !readers.empty(); ++partition) {
    checker::expectation expected;
    expected.name = fmt::format("{} partition {}", topic, partition);
    expected.target = partition;
    expected.publishers = senders.size();
    watch* const watch = add_watch(std::move(expected), senders, partition);
    link& on = *readers[partition % readers.size()];
    sinks.push_back({make_follower(setting, on, {topic, partition, stream, watch}), &on.at});
  }
}

void company::staff() {
  switch (asked_.kind) {
    case bench_kind::queue: return staff_queue();
    case bench_kind::topic: return staff_topic();
    case bench_kind::fetch: return staff_fetchers(nullptr);
    case bench_kind::fanout: return staff_fanout();
    case bench_kind::request: return staff_request();
    case bench_kind::mixed: return staff_mixed();
  }
}

void company::staff_queue() {
  streams = {"queue"};
  add_publishers(queue_routes());
  add_consumers(senders(0), false);
}

void company::staff_topic() {
  streams = {"topic"};
  add_producers(asked_.window, {names_.topic, 0, asked_.rate});
  add_followers(names_.topic, asked_.partitions, 0, senders(0));
}

// A message goes to all targets with the same body, so the target in the bodies is always 0.
void company::staff_fanout() {
  streams = asked_.topics > 0 ? std::vector<std::string>{"queue", "topic"} : std::vector<std::string>{"queue"};
  add_publishers({{names_.exchange(), ""}});
  add_consumers(senders(0), true);
  for (std::size_t i = 0; i < asked_.topics && asked_.consumers > 0; ++i) {
    add_followers(names_.fanned_topic(i), 1, 1, senders(0));
  }
}

void company::staff_request() {
  streams = {"request", "reply"};
  const auto clients = static_cast<std::uint32_t>(asked_.connections);
  for (std::uint32_t i = 0; i < clients; ++i) {
    checker::expectation expected;
    expected.name = names_.replies(i);
    expected.target = i;
    expected.ordered = asked_.consumers == 1 && asked_.queues == 1;
    watch* const watch = add_watch(std::move(expected), {}, 0);
    link& on = connect("client", i, asked_.window);
    const std::string replies = asked_.direct ? std::string(direct_reply_name) : names_.replies(i);
    auto asker = make_asker(setting, on, {i, clients}, queue_routes(), {replies, watch, 0, asked_.direct});
    sources.push_back({std::move(asker), &on.at});
    if (watch != nullptr) watch->senders = senders(i);
  }
  for (std::size_t i = 0; i < asked_.consumers; ++i) {
    std::vector<consumed_queue> queues;
    for (std::size_t queue = 0; queue < asked_.queues; ++queue) queues.push_back({names_.queue(queue), nullptr, 0});
    link& on = connect("server", i, limits::publishes_unsettled);
    sinks.push_back({make_answerer(setting, on, std::move(queues)), &on.at});
  }
}

void company::staff_mixed() {
  streams = {"queue", "topic"};
  add_publishers(queue_routes());
  const std::vector<role*> publishers = senders(0);
  add_producers(1, {names_.topic, 1, asked_.topic_rate});
  add_consumers(publishers, false);
  add_followers(names_.topic, asked_.partitions, 1, senders(publishers.size()));
}

void company::staff_fillers() {
  streams = {"topic"};
  add_producers(1, {names_.topic, 0, 0});
}

void company::staff_fetchers(company* fillers) {
  streams = {"topic"};
  const std::vector<role*> filled_by = fillers == nullptr ? std::vector<role*>{} : fillers->senders(0);
  for (std::size_t i = 0; i < asked_.consumers; ++i) {
    link& on = connect("reader", i);
    for (std::uint32_t partition = 0; partition < asked_.partitions; ++partition) {
      checker::expectation expected;
      expected.name = fmt::format("{} partition {}", names_.topic, partition);
      expected.target = partition;
      expected.publishers = filled_by.size();
      watch* const watch = add_watch(std::move(expected), {}, partition);
      std::vector<const promise*> promises;
      for (role* const filler : filled_by) promises.push_back(&filler->promises()[partition]);
      read_partition what{names_.topic, partition, 0, watch};
      sources.push_back({make_fetcher(setting, on, std::move(what), std::move(promises)), &on.at});
    }
  }
}

void company::dismiss() {
  for (worker& worker : workers) worker.join();
}

void company::conclude() {
  for (watch& watch : watches_) {
    std::vector<const promise*> promises;
    for (role* const sender : watch.senders) promises.push_back(&sender->promises()[watch.target]);
    watch.check.conclude(promises, watch.dropped);
  }
}

findings company::found() const {
  findings all;
  for (const watch& watch : watches_) all.merge(watch.check.found());
  return all;
}

}  // namespace tidegate::tool::bench
