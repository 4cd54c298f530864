#include "client/tool/bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/tool/rendering.hpp"

namespace tidegate::tool::bench {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, timings> timing_names{"publish_to_confirm", "publish_to_deliver", "round_trip",
                                                             "fetch"};

double rounded(double value, double steps) { return std::round(value * steps) / steps; }
double to_ms(double ns) { return rounded(ns / 1e6, 1'000); }

struct pace {
  double mean = 0;
  std::optional<double> median, worst;  // of whole seconds
};

// The last sample may end less than a second after the one before. Such an interval does not count in median and worst.
pace pace_of(const std::vector<sample>& samples, std::size_t stream, tally which) {
  constexpr double whole_second = 0.9;
  pace found;
  if (samples.size() < 2) return found;
  const auto count = [&](const sample& taken) { return static_cast<double>(at(taken.streams[stream], which)); };
  std::vector<double> seconds;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    const double length = samples[i].seconds - samples[i - 1].seconds;
    if (length >= whole_second) seconds.push_back((count(samples[i]) - count(samples[i - 1])) / length);
  }
  const double length = samples.back().seconds - samples.front().seconds;
  if (length > 0) found.mean = (count(samples.back()) - count(samples.front())) / length;
  if (seconds.empty()) return found;
  std::sort(seconds.begin(), seconds.end());
  found.median = seconds[seconds.size() / 2];
  found.worst = seconds.front();
  return found;
}

json::value known(const std::optional<double>& value) {
  return value ? json::value(rounded(*value, 1)) : json::value(nullptr);
}

double megabytes_per_second(const bench_arguments& asked, const outcome& seen, std::size_t stream, tally which) {
  constexpr double megabyte = 1e6;
  if (which == tally::delivered) return pace_of(seen.samples, stream, tally::delivered_bytes).mean / megabyte;
  return pace_of(seen.samples, stream, which).mean * static_cast<double>(asked.size) / megabyte;
}

json::object rates_of(const bench_arguments& asked, const outcome& seen, std::size_t stream) {
  constexpr std::pair<tally, const char*> rows[] = {{tally::published, "published"},
                                                    {tally::confirmed, "confirmed"},
                                                    {tally::delivered, "delivered"},
                                                    {tally::acknowledged, "acknowledged"}};
  json::object rates;
  for (const auto& [which, name] : rows) {
    const pace pace = pace_of(seen.samples, stream, which);
    json::object row{{"total", at(seen.totals[stream], which)},
                     {"per_second", rounded(pace.mean, 1)},
                     {"median", known(pace.median)},
                     {"worst", known(pace.worst)}};
    if (which == tally::confirmed || which == tally::delivered) {
      row["mb_per_second"] = rounded(megabytes_per_second(asked, seen, stream, which), 100);
    }
    rates[name] = std::move(row);
  }
  return rates;
}

json::object latencies_of(const outcome& seen, std::size_t stream) {
  json::object latencies;
  for (std::size_t i = 0; i < timings; ++i) {
    const histogram& times = seen.latencies[stream][i];
    if (times.count() == 0) continue;
    json::object row{{"count", times.count()}, {"mean", to_ms(times.mean())}};
    for (const auto& [percent, name] : {std::pair(50.0, "p50"), std::pair(90.0, "p90"), std::pair(99.0, "p99"),
                                        std::pair(99.9, "p99.9"), std::pair(99.99, "p99.99")}) {
      row[name] = to_ms(static_cast<double>(times.percentile(percent)));
    }
    row["max"] = to_ms(static_cast<double>(times.most()));
    latencies[timing_names[i]] = std::move(row);
  }
  return latencies;
}

std::uint64_t unconfirmed(const counts& of) {
  return at(of, tally::published) - at(of, tally::confirmed) - at(of, tally::refused);
}

json::object settings_of(const bench_arguments& asked) {
  return {{"connections", asked.connections},
          {"consumers", asked.consumers},
          {"queues", asked.queues},
          {"topics", asked.topics},
          {"partitions", asked.partitions},
          {"window", asked.window},
          {"prefetch", asked.prefetch},
          {"batch", asked.batch},
          {"size", asked.size},
          {"rate", asked.rate},
          {"topic_rate", asked.topic_rate},
          {"durability", asked.topic.durability},
          {"threads", asked.threads},
          {"verify", asked.verify}};
}

json::value verified(const outcome& seen) {
  if (!seen.verified) return nullptr;
  const findings& found = *seen.verified;
  return json::object{{"checked", found.checked},        {seen.complete ? "lost" : "not_come_yet", found.lost},
                      {"duplicates", found.duplicates},  {"out_of_order", found.out_of_order},
                      {"damaged", found.damaged},        {"foreign", found.foreign},
                      {"redelivered", found.redelivered}};
}

// Compares with the mean of the measurements before and after the run: the speed of a disk that others use may have
// changed in between.
json::value reference(const bench_arguments& asked, const outcome& seen) {
  if (seen.reference.empty() || asked.size == 0) return nullptr;
  json::array each;
  double raw = 0;
  for (const raw_rate& measured : seen.reference) {
    const double at_a_time = static_cast<double>(measured.bytes_at_a_time) / static_cast<double>(asked.size);
    each.push_back(rounded(measured.syncs_per_second * at_a_time, 1));
    raw += measured.syncs_per_second * at_a_time / static_cast<double>(seen.reference.size());
  }
  return json::object{{"bytes_at_a_time", seen.reference.front().bytes_at_a_time},
                      {"messages_per_second", std::move(each)},
                      {"confirmed_of_raw", rounded(pace_of(seen.samples, 0, tally::confirmed).mean / raw, 1'000)}};
}

double measured_seconds(const outcome& seen) {
  return seen.samples.empty() ? 0 : seen.samples.back().seconds - seen.samples.front().seconds;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// Adds rows to a table. A row's name is that of its stream, if there are two streams, followed by what the row counts.
void add_rows(json::array& to, const outcome& seen, std::size_t stream, const json::object& rows, const char* head) {
  for (const auto& row : rows) {
    if (const json::value* const total = row.value().as_object().if_contains("total");
        total != nullptr && total->to_number<std::uint64_t>() == 0) {
      continue;
    }
    const std::string prefix = seen.streams.size() > 1 ? seen.streams[stream] + " " : "";
    std::string name = prefix + std::string(row.key());
    std::replace(name.begin(), name.end(), '_', ' ');
    json::object line{{head, std::move(name)}};
    for (const auto& cell : row.value().as_object()) line[cell.key()] = cell.value();
    to.push_back(std::move(line));
  }
}

std::string headline(const bench_arguments& asked, const outcome& seen) {
  std::string what = fmt::format("{}: {} bytes a body, {} publishing, {} consuming", name(asked.kind), asked.size,
                                 asked.connections, asked.consumers);
  if (asked.kind == bench_kind::fetch) what = fmt::format("fetch: {} reading", asked.consumers);
  if (asked.queues > 0) what += fmt::format(", {} queue{}", asked.queues, asked.queues == 1 ? "" : "s");
  if (asked.topics > 0) what += fmt::format(", {} partition{}", asked.partitions, asked.partitions == 1 ? "" : "s");
  if (asked.kind != bench_kind::fetch) what += fmt::format(", window {}", asked.window);
  return what + fmt::format(", measured {:.1f} s\n", measured_seconds(seen));
}

// Returns how a loop's latency is defined, in words.
std::string loop_words(double rate, std::uint64_t unsent) {
  if (rate == 0) return "closed loop, service time under this window";
  return fmt::format("open loop of {} a second, from the time to leave; {} were due and not sent", rate, unsent);
}

std::string loops_words(const bench_arguments& asked, const outcome& seen) {
  const std::string first = loop_words(asked.rate, at(seen.totals[0], tally::unsent));
  if (asked.kind != bench_kind::mixed) return first;
  return "queue " + first + "; topic " + loop_words(asked.topic_rate, at(seen.totals[1], tally::unsent));
}

}  // namespace

std::string_view name(bench_kind kind) {
  constexpr std::array<std::string_view, 6> names{"queue", "topic", "fetch", "fanout", "request", "mixed"};
  return names[static_cast<std::size_t>(kind)];
}

json::object to_json(const bench_arguments& asked, const outcome& seen) {
  json::object rates, latencies;
  for (std::size_t i = 0; i < seen.streams.size(); ++i) {
    json::object of = rates_of(asked, seen, i);
    of["refused"] = at(seen.totals[i], tally::refused);
    of["unconfirmed"] = unconfirmed(seen.totals[i]);
    of["unsent"] = at(seen.totals[i], tally::unsent);
    rates[seen.streams[i]] = std::move(of);
    latencies[seen.streams[i]] = latencies_of(seen, i);
  }
  return {
      {"kind", name(asked.kind)},
      {"settings", settings_of(asked)},
      {"measured_seconds", rounded(measured_seconds(seen), 1'000)},
      {"rates", std::move(rates)},
      {"latency_ms", std::move(latencies)},
      {"verification", verified(seen)},
      {"client",
       {{"cpu_seconds", rounded(seen.cpu_seconds, 1'000)}, {"busiest_thread", rounded(seen.busiest_thread, 1'000)}}},
      {"broker", seen.broker},
      {"reference", reference(asked, seen)},
      {"left", json::value_from(seen.left)},
      {"objections", json::value_from(objections(seen))}};
}

std::string to_text(const bench_arguments& asked, const outcome& seen) {
  json::array rates, latencies;
  for (std::size_t i = 0; i < seen.streams.size(); ++i) {
    add_rows(rates, seen, i, rates_of(asked, seen, i), "messages");
    add_rows(latencies, seen, i, latencies_of(seen, i), "ms");
  }
  std::string text = headline(asked, seen) + "\n" + table(rates) + "\n";
  if (!latencies.empty()) text += table(latencies) + "\n";
  json::object facts;
  if (asked.kind != bench_kind::fetch) facts["latency"] = loops_words(asked, seen);
  facts["generator"] = fmt::format("{:.2f} s of CPU, its busiest thread {:.0f} % of a core", seen.cpu_seconds,
                                   seen.busiest_thread * 100);
  if (!seen.broker.empty()) facts["broker"] = seen.broker;
  if (const json::value raw = reference(asked, seen); raw.is_object()) facts["raw append + fdatasync"] = raw;
  if (seen.verified) facts["verified"] = verified(seen);
  if (!seen.left.empty()) facts["left"] = joined(seen.left);
  return text + fields(facts);
}

std::vector<std::string> objections(const outcome& seen) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < seen.streams.size(); ++i) {
    const counts& of = seen.totals[i];
    if (at(of, tally::refused) > 0) {
      found.push_back(fmt::format("{}: {} publishes were refused", seen.streams[i], at(of, tally::refused)));
    }
    if (unconfirmed(of) > 0) {
      found.push_back(fmt::format("{}: {} publishes without a confirm: they may or may not be stored", seen.streams[i],
                                  unconfirmed(of)));
    }
  }
  found.insert(found.end(), seen.troubles.begin(), seen.troubles.end());
  if (!seen.verified) return found;
  findings breaches = *seen.verified;
  if (!seen.complete) breaches.lost = 0;
  if (!breaches.is_clean()) {
    found.push_back(fmt::format(
        "verification failed: {} lost, {} duplicates, {} out of order, {} damaged, {} foreign; the first: {}",
        breaches.lost, breaches.duplicates, breaches.out_of_order, breaches.damaged, breaches.foreign, breaches.first));
  }
  return found;
}

}  // namespace tidegate::tool::bench
