#include "broker/model/record_batch.hpp"
#include "client/tool/bench/body.hpp"
#include "client/tool/bench/role.hpp"

namespace tidegate::tool::bench {
namespace {

class producer final : public role {
 public:
  producer(setting& setting, link& on, member who, produced_topic topic)
      : setting_(setting),
        on_(on),
        figures_(on.at.figures(topic.stream)),
        who_(who),
        topic_(std::move(topic)),
        body_(setting.asked.size, setting.asked.verify),
        promises_(setting.asked.partitions) {}

  awaitable<void> work() override;
  std::span<const promise> promises() override { return promises_; }

 private:
  std::string batch_for(std::uint32_t partition, std::size_t records, steady_clock::time_point sent);
  awaitable<void> produce(std::uint32_t partition, std::size_t records, steady_clock::time_point sent);
  void excuse(std::uint32_t partition, std::size_t records);

  setting& setting_;
  link& on_;
  figures& figures_;
  member who_;
  produced_topic topic_;
  body_maker body_;
  batch_builder builder_;
  std::vector<promise> promises_;
};

std::string producer::batch_for(std::uint32_t partition, std::size_t records, steady_clock::time_point sent) {
  const std::int64_t now_ms = std::chrono::system_clock::now().time_since_epoch() / std::chrono::milliseconds(1);
  record_view record;
  record.timestamp_ms = now_ms;
  for (std::size_t i = 0; i < records; ++i) {
    record.offset = i;
    record.body = body_.make({.run = setting_.run,
                              .publisher = who_.number,
                              .target = partition,
                              .sequence = ++promises_[partition].sent,
                              .sent_ns = to_ns(sent)});
    builder_.add(record);
  }
  return builder_.finish();
}

void producer::excuse(std::uint32_t partition, std::size_t records) {
  promise& promise = promises_[partition];
  for (std::size_t i = 0; i < records; ++i) promise.excused.insert(promise.sent - i);
}

awaitable<void> producer::produce(std::uint32_t partition, std::size_t records, steady_clock::time_point sent) {
  const std::string batch = batch_for(partition, records, sent);
  figures_.add(tally::published, records);
  try {
    co_await on_.connection.produce(topic_.name, partition, batch);
  } catch (const error_exception& refused) {
    excuse(partition, records);
    figures_.add_refused(records, refused.cause);
    co_return;
  } catch (...) {
    excuse(partition, records);
    throw;
  }
  figures_.add(tally::confirmed, records);
  setting_.time_since(figures_.latency(timing::publish_to_confirm), sent);
}

awaitable<void> producer::work() {
  const std::size_t records = setting_.asked.batch;
  pacing pacing(setting_, who_, topic_.per_second, records);
  std::uint32_t partition = who_.number % setting_.asked.partitions;
  for (auto now = steady_clock::now(); !pacing.is_over(now); now = steady_clock::now()) {
    const auto due = pacing.due(now);
    if (due > now) {
      co_await wait_a_while(due);
      continue;
    }
    co_await produce(partition, records, due);
    pacing.sent();
    partition = partition + 1 == setting_.asked.partitions ? 0 : partition + 1;
  }
  figures_.add(tally::unsent, pacing.unsent());
}

}  // namespace

std::unique_ptr<role> make_producer(setting& setting, link& on, member who, produced_topic topic) {
  return std::make_unique<producer>(setting, on, who, std::move(topic));
}

}  // namespace tidegate::tool::bench
