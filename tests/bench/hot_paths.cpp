// hot_paths: runs one of the broker's four hot paths, as the requests of a connection would, without sockets and
// without waiting for a disk. instructions.py counts its instructions. Only the work inside measured() is counted: the
// gateway's side, from the bytes received to the bytes to send.
#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/frontends/native/testing.hpp"

using namespace tidegate;

// Callgrind counts from the call of this function to its return. It finds the function by its name, so the name is not
// mangled and the function is not inlined.
extern "C" [[gnu::noinline]] void measured(const std::function<void()>& work) {
  work();
  asm volatile("" ::: "memory");
}

namespace {

constexpr std::size_t round_messages = 1'000;  // messages of one commit
constexpr std::size_t batch_records = 100;
constexpr std::size_t body_bytes = 100;
constexpr std::size_t messages = 20'000;

class gateway_under_load {
 public:
  gateway_under_load() {
    gateway_.broker.declare_queue("work");
    gateway_.broker.declare_topic("log", 1, 32 << 20);
    gateway_.broker.commit();
    peer_.connect();
  }

  void publish() {
    std::vector<std::string> rounds(messages / round_messages);
    for (std::size_t i = 0; i < messages; ++i) rounds[i / round_messages] += publish_frame(i + 1);
    measured([&] {
      for (const std::string& round : rounds) answer(round);
    });
    expect(gateway_.broker.ready("work") == messages);
  }

  void deliver() {
    for (std::size_t i = 0; i < messages; ++i) {
      gateway_.broker.put("work", body_);
      if (i % round_messages == round_messages - 1) gateway_.broker.commit();
    }
    std::vector<std::string> settles(messages + 1);
    for (std::size_t tag = 1; tag <= messages; ++tag) settles[tag] = settle_frame(tag);
    peer_.consume(1, "work", round_messages);
    std::size_t delivered = 0;
    measured([&] {
      while (delivered < messages) {
        const std::size_t before = delivered;
        peer_.take_bytes();  // does not decode the bytes: that is the client's work
        delivered = gateway_.broker.counts().delivered;
        expect(delivered > before);
        for (std::size_t tag = before + 1; tag <= delivered; ++tag) peer_.send_bytes(settles[tag]);
        gateway_.broker.commit();
      }
    });
    expect(gateway_.broker.ready("work") == 0);
  }

  void produce() {
    std::vector<std::string> rounds(messages / round_messages);
    for (std::size_t i = 0; i < messages; i += batch_records) rounds[i / round_messages] += produce_frame();
    measured([&] {
      for (const std::string& round : rounds) answer(round);
    });
    expect(end_of_log() == messages);
  }

  // Fetches in answers of a megabyte. Decoding the answers is the client's work, so it is done before the measurement.
  void fetch() {
    for (std::size_t i = 0; i < messages; i += batch_records) {
      peer_.send_bytes(produce_frame());
      if (i % round_messages == 0) gateway_.broker.commit();
    }
    gateway_.broker.commit();
    peer_.take();
    const std::vector<std::uint64_t> starts = fetch_all();
    measured([&] {
      for (const std::uint64_t offset : starts) {
        peer_.fetch(1, "log", offset);
        peer_.take_bytes();
      }
    });
  }

 private:
  static void expect(bool condition) { TIDEGATE_EXPECT(condition); }

  void answer(const std::string& frames) {
    peer_.send_bytes(frames);
    gateway_.broker.commit();
    peer_.take_bytes();
  }

  std::string publish_frame(std::uint64_t id) const {
    tg_PublishMessage publish{};
    publish.id = id;
    publish.routing_key = native::bytes_of("work");
    publish.body = native::bytes_of(body_);
    return native::frame_of(TG_PUBLISH_MESSAGE, tg_PublishMessage_fields, publish, 256);
  }
  static std::string settle_frame(std::uint64_t tag) {
    return native::frame_of(TG_SETTLE, tg_Settle_fields, tg_Settle{tag, false, tg_Settle_Outcome_ACK});
  }
  std::string produce_frame() const {
    batch_builder builder;
    for (std::size_t i = 0; i < batch_records; ++i) builder.add(record_view{i, 1'700'000'000'000, {}, body_, {}});
    const std::string batch = builder.finish();
    const tg_Produce produce{1, native::bytes_of("log"), 0, native::bytes_of(batch)};
    return native::frame_of(TG_PRODUCE, tg_Produce_fields, produce, batch.size());
  }

  // Fetches the whole log and returns the offset at which each answer starts.
  std::vector<std::uint64_t> fetch_all() {
    std::vector<std::uint64_t> starts;
    for (std::uint64_t offset = 0; offset < messages;) {
      starts.push_back(offset);
      peer_.fetch(1, "log", offset);
      const auto answers = peer_.take();
      expect(answers.size() == 1);
      const auto fetched = answers[0].as<tg_Fetched>(tg_Fetched_fields);
      for (std::string_view rest = native::view_of(fetched.batches); !rest.empty();) {
        const auto batch = read_batch(rest).value();
        offset = batch.last_offset + 1;
        rest.remove_prefix(batch.bytes.size());
      }
    }
    return starts;
  }
  std::uint64_t end_of_log() { return gateway_.broker.reading().range("log", 0).value().high_watermark; }

  const std::string body_ = std::string(body_bytes, 'b');
  native::gateway gateway_{{}, {96 << 20, 32 << 20, {}}};
  native::peer peer_{gateway_};
};

}  // namespace

// Prints the number of messages.
int main(int argc, char** argv) {
  const std::map<std::string, void (gateway_under_load::*)()> paths{{"publish", &gateway_under_load::publish},
                                                                    {"deliver", &gateway_under_load::deliver},
                                                                    {"produce", &gateway_under_load::produce},
                                                                    {"fetch", &gateway_under_load::fetch}};
  const auto path = paths.find(argc == 2 ? argv[1] : "");
  if (path == paths.end()) {
    std::fprintf(stderr, "usage: hot_paths publish|deliver|produce|fetch\n");
    return 2;
  }
  gateway_under_load gateway;
  (gateway.*path->second)();
  fmt::print("{}\n", messages);
  return 0;
}
