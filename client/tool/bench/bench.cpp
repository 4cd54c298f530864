// tidegate bench: declares queues and topics, starts all roles at once, watches them, waits for messages in flight,
// removes what it declared, and reports.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "broker/base/limits.hpp"
#include "client/tool/bench/company.hpp"
#include "client/tool/bench/report.hpp"
#include "client/tool/command.hpp"
#include "client/tool/listing.hpp"

namespace tidegate::tool {

namespace bench {
namespace {

namespace json = boost::json;

constexpr std::uint64_t filled_records = 1'000'000;
constexpr std::chrono::milliseconds watch_interval{20};
constexpr std::chrono::milliseconds drain_interval{100};
// If nothing is delivered for so long, the messages that the queues still hold are given up.
constexpr std::chrono::seconds drain_patience{10};

std::string words_of(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const error_exception& refused) {
    return fmt::format("{}: {}", tidegate::name(refused.cause.code), refused.cause.text);
  } catch (const std::exception& failure) {
    return failure.what();
  }
}

class benchmark {
 public:
  benchmark(environment& environment, const bench_arguments& asked)
      : environment_(environment), asked_(asked), run_(std::random_device()()) {
    names_.prefix = fmt::format("bench.{:08x}", run_);
    names_.topic = asked.topic.name.empty() ? names_.prefix + ".t" : asked.topic.name;
  }

  awaitable<int> run();

 private:
  awaitable<void> declare_all();
  awaitable<void> declare_topic(const std::string& name, std::uint32_t partitions);
  awaitable<void> declare_queue(const std::string& name);
  awaitable<void> fan_out();
  awaitable<void> remove_all();

  awaitable<void> measure();
  awaitable<void> fill(company& fillers);
  awaitable<void> measure_company();
  awaitable<void> measure_fetch();
  awaitable<void> work(company& company);
  awaitable<bool> open(company& company);
  awaitable<bool> prepare(const std::vector<placed_role>& roles);
  awaitable<void> watch(company& company, const gang& sources, const gang& sinks);
  awaitable<void> drain(company& company, const gang& sinks);
  awaitable<std::uint64_t> held_in_queues();
  awaitable<json::object> status();
  void add_broker_figures(const json::object& before, const json::object& after);
  void take_sample(company& company);
  void begin_measuring(company& company);
  void end_measuring(company& company);
  void tell_progress(const company& company) const;
  void collect(company& company);
  bool note(std::exception_ptr failure);
  void note(const std::string& trouble);
  int tell();

  void measure_reference();
  bool drains() const { return asked_.verify || asked_.messages; }
  bool wants_progress() const { return asked_.progress || ::isatty(STDERR_FILENO) == 1; }

  environment& environment_;
  bench_arguments asked_;
  std::uint32_t run_;
  names names_;
  std::vector<std::pair<std::string, std::string>> made_;  // kind and name
  outcome seen_;
  std::vector<double> cpu_before_;  // CPU seconds at the start of measuring, by worker
};

// --------------------------------------------------------------------------------------------- what the run needs

awaitable<void> benchmark::declare_queue(const std::string& name) {
  client::queue_definition queue;
  queue.name = name;
  queue.durability = asked_.topic.durability;
  if (asked_.priorities > 1) queue.priority_max = asked_.priorities - 1;
  if (asked_.dead_letters) {
    queue.dead_letter_exchange = "";
    queue.dead_letter_key = names_.dead_letters();
  }
  co_await environment_.broker.declare_queue(queue);
  made_.emplace_back("queue", name);
}

awaitable<void> benchmark::declare_topic(const std::string& name, std::uint32_t partitions) {
  client::topic_definition topic = asked_.topic;
  topic.name = name;
  topic.partitions = partitions;
  co_await environment_.broker.declare_topic(topic);
  made_.emplace_back("topic", name);
}

awaitable<void> benchmark::fan_out() {
  const std::string exchange = names_.exchange();
  co_await environment_.broker.declare_exchange(exchange, "fanout");
  made_.emplace_back("exchange", exchange);
  for (std::size_t i = 0; i < asked_.queues; ++i) {
    const std::string queue = names_.queue(i);
    co_await environment_.broker.bind(exchange, "queue", queue, "");
  }
  for (std::size_t i = 0; i < asked_.topics; ++i) {
    const std::string topic = names_.fanned_topic(i);
    co_await declare_topic(topic, 1);
    co_await environment_.broker.bind(exchange, "topic", topic, "");
  }
}

awaitable<void> benchmark::declare_all() {
  if (asked_.dead_letters) {
    client::queue_definition queue;
    queue.name = names_.dead_letters();
    queue.durability = asked_.topic.durability;
    co_await environment_.broker.declare_queue(queue);
    made_.emplace_back("queue", queue.name);
  }
  for (std::size_t i = 0; i < asked_.queues; ++i) {
    const std::string queue = names_.queue(i);
    co_await declare_queue(queue);
  }
  if (asked_.kind == bench_kind::request && !asked_.direct) {
    for (std::size_t i = 0; i < asked_.connections; ++i) {
      const std::string queue = names_.replies(i);
      co_await declare_queue(queue);
    }
  }
  if (asked_.kind == bench_kind::fanout) {
    co_await fan_out();
  } else if (asked_.topics > 0 && asked_.topic.name.empty()) {
    co_await declare_topic(names_.topic, asked_.partitions);
  }
}

// Removes what was declared, in reverse order. Bindings are removed with their exchange.
awaitable<void> benchmark::remove_all() {
  for (; !asked_.keep && !made_.empty(); made_.pop_back()) {
    try {
      const auto& [kind, name] = made_.back();
      co_await environment_.broker.erase(kind, name);
    } catch (const std::exception&) {
      note(std::current_exception());
      break;
    }
  }
  for (const auto& [kind, name] : made_) seen_.left.push_back(kind + " " + name);
}

awaitable<json::object> benchmark::status() {
  const client::listing_page page = co_await environment_.broker.list("status");
  boost::system::error_code malformed;
  const json::value status = json::parse(page.json, malformed);
  co_return status.is_object() ? status.as_object() : json::object();
}

// ------------------------------------------------------------------------------------------------- the run itself

// Notes each trouble once, because all connections may report the same one.
void benchmark::note(const std::string& trouble) {
  const bool is_known = std::find(seen_.troubles.begin(), seen_.troubles.end(), trouble) != seen_.troubles.end();
  if (!is_known) seen_.troubles.push_back(trouble);
}

// Notes a failure if there is one. Returns whether there is none.
bool benchmark::note(std::exception_ptr failure) {
  if (failure) note(words_of(failure));
  return !failure;
}

awaitable<bool> benchmark::open(company& company) {
  const auto open_one = [](client::endpoint where, client::connect_options options, link& link) -> awaitable<void> {
    co_await link.connection.open(std::move(where), std::move(options));
  };
  gang gang(environment_.executor);
  for (link& link : company.links) {
    client::connect_options options = environment_.connect;
    options.name = link.name;
    options.publish_window = link.window;
    options.deliveries_held_max =
        std::max<std::size_t>(options.deliveries_held_max, (asked_.queues + 1) * std::size_t{asked_.prefetch});
    gang.start(link.at, open_one(environment_.where, std::move(options), link));
  }
  co_await gang.finish();
  co_return note(gang.failure());
}

awaitable<bool> benchmark::prepare(const std::vector<placed_role>& roles) {
  gang gang(environment_.executor);
  for (const placed_role& each : roles) gang.start(*each.on, each.role->prepare());
  co_await gang.finish();
  co_return note(gang.failure());
}

void benchmark::take_sample(company& company) {
  sample taken;
  taken.seconds = std::chrono::duration<double>(steady_clock::now() - company.setting.begin).count();
  for (std::size_t stream = 0; stream < streams_max; ++stream) {
    for (std::size_t i = 0; i < tallies; ++i) {
      for (worker& worker : company.workers) {
        taken.streams[stream][i] += worker.figures(stream).count(static_cast<tally>(i));
      }
    }
  }
  seen_.samples.push_back(taken);
}

void benchmark::begin_measuring(company& company) {
  for (const worker& worker : company.workers) cpu_before_.push_back(worker.cpu_seconds());
  take_sample(company);
}

void benchmark::end_measuring(company& company) {
  if (seen_.samples.empty()) return;  // the run ended during its warm-up
  take_sample(company);
  const double seconds = seen_.samples.back().seconds - seen_.samples.front().seconds;
  for (std::size_t i = 0; i < cpu_before_.size(); ++i) {
    const double used = company.workers[i].cpu_seconds() - cpu_before_[i];
    seen_.cpu_seconds += used;
    if (seconds > 0) seen_.busiest_thread = std::max(seen_.busiest_thread, used / seconds);
  }
}

void benchmark::tell_progress(const company& company) const {
  if (!wants_progress() || seen_.samples.size() < 2) return;
  const sample& now = seen_.samples.back();
  const sample& before = seen_.samples[seen_.samples.size() - 2];
  std::string line = fmt::format("{:.0f} s", now.seconds);
  for (std::size_t i = 0; i < company.streams.size(); ++i) {
    const auto rate = [&](tally which) {
      return static_cast<double>(at(now.streams[i], which) - at(before.streams[i], which)) /
             (now.seconds - before.seconds);
    };
    line += fmt::format("{} {}: {:.0f} confirmed, {:.0f} delivered a second", i == 0 ? "" : ";", company.streams[i],
                        rate(tally::confirmed), rate(tally::delivered));
  }
  remark(line);
}

// Waits until all sources have ended. If a connection fails, the others are stopped; an interrupt stops all.
awaitable<void> benchmark::watch(company& company, const gang& sources, const gang& sinks) {
  while (sources.running() > 0) {
    co_await pause(watch_interval);
    if (environment_.interruption.happened() || sources.failure() || sinks.failure()) company.setting.stop = true;
    const auto next = company.setting.measured + std::chrono::seconds(seen_.samples.size());
    if (steady_clock::now() < next) continue;
    if (seen_.samples.empty()) {
      begin_measuring(company);
    } else {
      take_sample(company);
      tell_progress(company);
    }
  }
}

// Returns how many ready and unsettled messages the run's queues hold.
awaitable<std::uint64_t> benchmark::held_in_queues() {
  std::uint64_t held = 0;
  const auto add = [&](const json::value& queues) {
    for (const json::value& queue : queues.as_array()) {
      const json::object& row = queue.as_object();
      if (!row.at("name").as_string().starts_with(names_.prefix)) continue;
      held += row.at("ready").to_number<std::uint64_t>() + row.at("unsettled").to_number<std::uint64_t>();
    }
    return true;
  };
  co_await each_page(environment_.broker, "queues", add);
  co_return held;
}

// All publishes are settled by now, so the messages in the queues are all that can still come.
awaitable<void> benchmark::drain(company& company, const gang& sinks) {
  auto moved = steady_clock::now();
  std::uint64_t before = 0;
  while (drains() && sinks.running() > 0 && !sinks.failure()) {
    const auto held = co_await held_in_queues();
    if (held == 0) co_return;
    std::uint64_t delivered = 0;
    for (worker& worker : company.workers) delivered += worker.figures(0).count(tally::delivered);
    if (std::exchange(before, delivered) != delivered) moved = steady_clock::now();
    if (steady_clock::now() - moved > drain_patience) {
      note(fmt::format("the queues hold {} messages and deliver nothing", held));
      break;
    }
    co_await pause(drain_interval);
  }
  seen_.complete = drains() && seen_.troubles.empty() && !sinks.failure();
}

awaitable<void> benchmark::work(company& company) {
  if (!co_await open(company) || !co_await prepare(company.sources) || !co_await prepare(company.sinks)) co_return;
  setting& setting = company.setting;
  setting.begin = steady_clock::now();
  setting.measured = setting.begin + setting.asked.warmup;
  setting.end = setting.measured + setting.asked.time;
  if (setting.measured == setting.begin) begin_measuring(company);
  gang sources(environment_.executor), sinks(environment_.executor);
  for (const placed_role& each : company.sinks) sinks.start(*each.on, each.role->work());
  for (const placed_role& each : company.sources) sources.start(*each.on, each.role->work());
  co_await watch(company, sources, sinks);
  end_measuring(company);
  note(sources.failure());
  try {
    co_await drain(company, sinks);
  } catch (const std::exception&) {
    seen_.complete = note(std::current_exception());
  }
  setting.finish = true;
  co_await sinks.finish();
  note(sinks.failure());
}

void benchmark::collect(company& company) {
  company.dismiss();
  seen_.streams = company.streams;
  for (worker& worker : company.workers) {
    for (std::size_t stream = 0; stream < company.streams.size(); ++stream) {
      figures& figures = worker.figures(stream);
      for (std::size_t i = 0; i < tallies; ++i) {
        seen_.totals[stream][i] += figures.count(static_cast<tally>(i));
      }
      for (std::size_t i = 0; i < timings; ++i) {
        seen_.latencies[stream][i].merge(figures.latency(static_cast<timing>(i)));
      }
      if (const auto& refusal = figures.refusal()) {
        note(fmt::format("refused: {}: {}", tidegate::name(refusal->code), refusal->text));
      }
    }
  }
  if (!asked_.verify) return;
  company.conclude();
  seen_.verified = company.found();
}

// ---------------------------------------------------------------------------------------------------- all together

void benchmark::measure_reference() {
  if (asked_.reference.empty()) return;
  const bool makes_batches = asked_.kind == bench_kind::topic || asked_.kind == bench_kind::fetch;
  const std::size_t messages = asked_.connections * asked_.window * (makes_batches ? asked_.batch : 1);
  constexpr std::size_t bytes_max = 64 * limits::mib;
  const std::size_t bytes = std::clamp<std::size_t>(messages * asked_.size, 1, bytes_max);
  seen_.reference.push_back(measure_raw(asked_.reference, bytes));
}

void benchmark::add_broker_figures(const json::object& before, const json::object& after) {
  for (const char* name : {"commits", "bytes_written", "flash_bytes_since_start"}) {
    const json::value* const from = before.if_contains(name);
    const json::value* const to = after.if_contains(name);
    if (from == nullptr || to == nullptr || !from->is_number() || !to->is_number()) continue;
    seen_.broker[name] = to->to_number<std::uint64_t>() - from->to_number<std::uint64_t>();
  }
  if (const json::value* const used = after.if_contains("store_bytes_used")) seen_.broker["store_bytes_used"] = *used;
}

// Fills the topic. Of the filling, only failures and the reference before it are reported.
awaitable<void> benchmark::fill(company& fillers) {
  fillers.staff_fillers();
  co_await work(fillers);
  collect(fillers);
  outcome fresh;
  fresh.troubles = std::move(seen_.troubles);
  fresh.reference = std::move(seen_.reference);
  seen_ = std::move(fresh);
  cpu_before_.clear();
}

awaitable<void> benchmark::measure_company() {
  company company(asked_, run_, names_);
  company.staff();
  co_await work(company);
  collect(company);
}

awaitable<void> benchmark::measure_fetch() {
  bench_arguments filling = asked_;
  filling.messages = asked_.messages.value_or(filled_records);
  filling.warmup = std::chrono::milliseconds(0);
  filling.time = std::chrono::hours(24);
  asked_.messages.reset();
  company fillers(filling, run_, names_), readers(asked_, run_, names_);
  const bool fills = asked_.topic.name.empty();
  if (fills) co_await fill(fillers);
  if (!seen_.troubles.empty()) co_return;
  readers.staff_fetchers(fills ? &fillers : nullptr);
  co_await work(readers);
  collect(readers);
}

awaitable<void> benchmark::measure() {
  if (!asked_.topic.name.empty()) {
    client::topic_definition existing;
    existing.name = asked_.topic.name;
    const client::declared_topic found = co_await environment_.broker.declare_topic(existing, true);
    asked_.partitions = found.partitions;
  }
  co_await declare_all();
  measure_reference();
  const json::object before = co_await status();
  if (asked_.kind == bench_kind::fetch) {
    co_await measure_fetch();
  } else {
    co_await measure_company();
  }
  add_broker_figures(before, co_await status());
  measure_reference();
}

int benchmark::tell() {
  if (environment_.json) {
    print_json(to_json(asked_, seen_));
  } else {
    print(to_text(asked_, seen_));
  }
  const auto wrong = objections(seen_);
  for (const std::string& each : wrong) remark(each);
  return wrong.empty() ? exit_ok : exit_failure;
}

awaitable<int> benchmark::run() {
  try {
    co_await measure();
  } catch (const std::exception&) {
    note(std::current_exception());
  }
  co_await remove_all();
  co_return tell();
}

}  // namespace
}  // namespace bench

client::awaitable<int> run_bench(environment& environment, const bench_arguments& arguments) {
  bench::benchmark benchmark(environment, arguments);
  co_return co_await benchmark.run();
}

}  // namespace tidegate::tool
