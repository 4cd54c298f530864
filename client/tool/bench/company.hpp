// All that works in a run: threads, connections, roles, and the targets that are checked.
#pragma once

#include "client/tool/bench/role.hpp"

namespace tidegate::tool::bench {

// The names of what a run declares in the broker. They start with a prefix that is the run's own.
struct names {
  std::string prefix;  // "bench.1a2b3c4d"
  std::string topic;   // used by the kinds topic, fetch and mixed

  std::string queue(std::size_t number) const { return prefix + ".q" + std::to_string(number); }
  std::string replies(std::size_t client) const { return prefix + ".r" + std::to_string(client); }
  std::string dead_letters() const { return prefix + ".d"; }
  std::string exchange() const { return prefix + ".x"; }
  std::string fanned_topic(std::size_t number) const { return prefix + ".t" + std::to_string(number); }
};

struct placed_role {
  std::unique_ptr<bench::role> role;
  worker* on = nullptr;
};

class company {
 public:
  company(const bench_arguments& asked, std::uint32_t run, names names);
  company(const company&) = delete;
  company& operator=(const company&) = delete;
  ~company() { dismiss(); }

  // Makes the roles of the requested kind of run.
  void staff();
  // Makes the roles that fill a topic for the kind fetch.
  void staff_fillers();
  // Makes the roles that read the topic. `fillers` has filled it and has ended; null = an existing topic is read.
  void staff_fetchers(company* fillers);

  // Stops and joins the threads, even if tasks still run on them. Connections and figures may be read afterwards.
  void dismiss();
  // Ends the checks: every message that was confirmed and not seen counts as lost.
  void conclude();
  findings found() const;

  bench::setting setting;
  std::deque<worker> workers;
  std::deque<link> links;
  std::vector<placed_role> sources;  // end by themselves, at the run's end or when setting.stop is set
  std::vector<placed_role> sinks;    // end when setting.finish is set, after the last message
  std::vector<std::string> streams;  // names of the streams that are counted

 private:
  link& connect(std::string_view what, std::size_t number, std::size_t window = 1);
  link& connect_to(worker& on, std::string_view what, std::size_t number, std::size_t window);
  // Returns null without --verify.
  watch* add_watch(checker::expectation expected, const std::vector<role*>& senders, std::size_t target);
  void add_publishers(const std::vector<route>& routes);
  std::vector<std::vector<consumed_queue>> share_queues(const std::vector<role*>& senders, bool fanned);
  // Places all consumers of a queue on one thread, because they share its checker. Starts at the last thread, away from
  // the publishers.
  void add_consumers(const std::vector<role*>& senders, bool fanned);
  void add_producers(std::size_t lanes, produced_topic topic);
  void add_followers(const std::string& topic, std::uint32_t partitions, std::size_t stream,
                     const std::vector<role*>& senders);
  std::vector<role*> senders(std::size_t from) const;
  std::vector<route> queue_routes() const;

  void staff_queue();
  void staff_topic();
  void staff_fanout();
  void staff_request();
  void staff_mixed();

  const bench_arguments& asked_;
  names names_;
  std::deque<watch> watches_;
  std::size_t next_worker_ = 0;
};

}  // namespace tidegate::tool::bench
