// The participants of a run: threads, connections, roles, and the targets that are checked.
#pragma once

#include "client/tool/bench/role.hpp"

namespace tidegate::tool::bench {

// Names of what a run declares in the broker.
struct names {
  std::string prefix;  // "bench.1a2b3c4d"
  std::string topic;   // for topic, fetch and mixed

  std::string queue(std::size_t number) const { return prefix + ".q" + std::to_string(number); }
  std::string replies(std::size_t client) const { return prefix + ".r" + std::to_string(client); }
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

  // Makes the roles that the command line asks for.
  void staff();
  // For a fetch: makes the roles that fill the topic, and those that read it. `fillers`: the company that filled it, if
  // any.
  void staff_fillers();
  void staff_fetchers(company* fillers);

  // Ends the threads and what still runs on them. Connections and figures may be read after that.
  void dismiss();
  // Counts confirmed messages that were not received as lost.
  void conclude();
  findings found() const;

  bench::setting setting;
  std::deque<worker> workers;
  std::deque<link> links;
  std::vector<placed_role> sources;  // end by themselves, at the run's end, or when told to stop
  std::vector<placed_role> sinks;    // end when told that nothing more will come
  std::vector<std::string> streams;  // names of what is counted

 private:
  link& connect(std::string_view what, std::size_t number, std::size_t window = 1);
  link& connect_to(worker& on, std::string_view what, std::size_t number, std::size_t window);
  // Returns null without --verify.
  watch* add_watch(checker::expectation expected, const std::vector<role*>& senders, std::size_t target);
  void add_publishers(const std::vector<route>& routes);
  std::vector<std::vector<consumed_queue>> share_queues(const std::vector<role*>& senders, bool fanned);
  // Puts all consumers of a queue on one thread, since they share its checker. Uses threads from the last one on, away
  // from publishers.
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
