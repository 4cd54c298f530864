// For tests: a store with definitions, as core writes them, on which random operations run: appends, acknowledgements,
// requeues, trims, roll-ups.
#pragma once

#include "broker/base/log.hpp"
#include "broker/model/definitions.hpp"
#include "broker/store/offline/inspection.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::store::offline {

class lived_store {
 public:
  explicit lived_store(std::uint32_t seed, scratch_options options = {32 << 20, 256 * 1024})
      : random_(seed), store_(options) {
    log::set_level(log::level::warning);
    for (const char* name : {"work", "alarms"}) {
      queues_.push_back(store_.make_queue());
      define('q', name, encode(queue_definition{name, queues_.back()}));
    }
    topic_definition topic{"readings", "uuid", 0, milliseconds(0), {}};
    for (int i = 0; i < 3; ++i) logs_.push_back(store_.make_log({i == 2 ? 200'000u : 0u, {}}));
    topic.partitions = logs_;
    define('t', topic.name, encode(topic));
    define('x', "plant", encode(exchange_definition{"plant", exchange_type::topic}));
    std::string number;
    append_be(number, std::uint64_t{7});
    define('b', number, encode(binding_definition{"plant", target_kind::queue, "work", "#"}));
    store_.commit();
  }

  void live(int commits) {
    for (int i = 0; i < commits; ++i) {
      for (const stream_id queue : queues_) {
        if (chance(2)) append(queue);
        if (chance(3)) acknowledge(queue);
        if (chance(5)) store_.open_group().count_delivery(queue, any(store_.next(queue) + 1), 1 + any(3));
      }
      for (const stream_id log : logs_) {
        if (chance(2)) append(log);
        if (chance(8)) store_.append_opaque(log, 1 + any(40), std::string(10 + any(50'000), 'z'), ++now_ms_);
        if (chance(40)) store_.open_group().trim(log, any(store_.next(log) + 1));
      }
      store_.open_group().set_producer(fmt::format("producer-{}", any(20)), {1, ++now_ms_, 5});
      if (chance(3)) store_.open_group().set_cursor(logs_[0], fmt::format("group-{}", any(4)), {any(50), "note"});
      store_.commit();
    }
  }
  void define(char kind, std::string_view name, std::string definition) {
    store_.open_group().put_definition(std::string(1, kind).append(name), std::move(definition));
  }

  scratch_store& store() { return store_; }
  const std::filesystem::path& path() const { return store_.path(); }
  const std::vector<stream_id>& queues() const { return queues_; }
  const std::vector<stream_id>& logs() const { return logs_; }

 private:
  std::uint32_t any(std::uint64_t below) { return static_cast<std::uint32_t>(random_() % below); }
  bool chance(std::uint32_t one_in) { return any(one_in) == 0; }
  void append(stream_id stream) {
    const std::size_t size = chance(6) ? 5'000 + any(30'000) : any(300);
    for (std::size_t left = 1 + any(5); left > 0; --left) {
      store_.append(stream, std::string(size, static_cast<char>('a' + any(26))), ++now_ms_);
    }
  }
  void acknowledge(stream_id queue) {
    const stream_view& view = store_.view(queue);
    if (view.end == view.log_start) return;
    const offset_t from = view.log_start + (chance(2) ? 0 : any(view.end - view.log_start));
    store_.ack(queue, {from, std::min(view.end, from + any(30))});
  }

  std::mt19937 random_;
  scratch_store store_;
  std::vector<stream_id> queues_, logs_;
  std::uint32_t now_ms_ = 0;
};

inline inspection inspected(const std::filesystem::path& directory) {
  offline_store store(directory);
  return inspect(store);
}

// "damaged: stream 3: holds 4 of 5 messages ...", one finding a line, for comparing in tests.
inline std::string lines_of(const inspection& inspection) {
  std::string lines;
  for (const finding& one : inspection.findings) {
    lines += fmt::format("{}: {}: {}\n", name(one.level), one.where, one.what);
  }
  return lines;
}

}  // namespace tidegate::store::offline
