// Tests the Kafka sink against librdkafka's own mock cluster, in this process.
#include "bridge/kafka_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <boost/asio/io_context.hpp>

#include "bridge/scripted_ends.hpp"

namespace tidegate::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int16_t produce_request = 0;
const identity here{"gateway", "incarnation-a", "topic-id"};

class mock_cluster {
 public:
  mock_cluster() {
    char reason[256];
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), reason, sizeof reason);
    cluster_ = rd_kafka_mock_cluster_new(handle_, 1);
    rd_kafka_mock_topic_create(cluster_, "there", 3, 1);
  }
  mock_cluster(const mock_cluster&) = delete;
  mock_cluster& operator=(const mock_cluster&) = delete;
  ~mock_cluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(handle_);
  }
  std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  void fail_produce(rd_kafka_resp_err_t failure, int times) {
    for (int i = 0; i < times; ++i) rd_kafka_mock_push_request_errors(cluster_, produce_request, 1, failure);
  }
  void cut() { rd_kafka_mock_broker_set_down(cluster_, -1); }
  void mend() { rd_kafka_mock_broker_set_up(cluster_, -1); }

 private:
  rd_kafka_t* handle_;
  rd_kafka_mock_cluster_t* cluster_;
};

struct sink_told final : sink_events {
  void opened() override { log.push_back("opened"); }
  void recovered(std::uint32_t, std::uint64_t ticket, recovery what) override {
    log.push_back("recovered " + std::to_string(ticket));
    found = std::move(what);
  }
  void confirmed(std::uint32_t partition, offset_t offset, destination where) override {
    places[{partition, offset}] = where;
  }
  void refused(std::uint32_t, offset_t offset, refusal_cause cause, std::string) override {
    log.push_back((cause == refusal_cause::time ? "refused for its time " : "refused ") + std::to_string(offset));
  }
  void reported() override {}
  void unreachable(std::string) override { log.push_back("unreachable"); }
  void broken(std::string reason, bool record_refused) override {
    why = reason;
    log.push_back(record_refused ? "broken by a record" : "broken");
  }

  std::vector<std::string> log;
  std::map<std::pair<std::uint32_t, offset_t>, destination> places;
  recovery found;
  std::string why;
};

struct kafka_sink_test : testing::Test {
  boost::asio::io_context context;
  mock_cluster cluster;
  sink_told events;
  std::unique_ptr<bridge::sink> sink;

  void make(partitioner partitioner = partitioner::source) {
    kafka_settings settings;
    settings.brokers = cluster.brokers();
    settings.topic = "there";
    settings.linger = std::chrono::milliseconds(5);
    settings.backoff_min = settings.backoff_max = std::chrono::milliseconds(50);
    settings.partitioner = partitioner;
    settings.queue_bytes = 64 * 1024;
    sink = make_kafka_sink(context.get_executor(), settings, "here", events);
  }
  void open(pace pace = pace::normal) {
    sink->open(pace);
    ASSERT_TRUE(until([&] { return told("opened"); })) << events.why;
    events.log.clear();
  }
  send_outcome send(offset_t offset, std::uint32_t partition = 0, std::string_view key = {}, std::size_t size = 10) {
    const std::string body(size, 'x');
    record_view record;
    record.offset = offset;
    record.timestamp_ms = 1'700'000'000'000;
    record.key = key;
    record.body = body;
    record.headers = {{"tg-routing-key", "a.b"}};
    std::string reason;
    return sink->send(here, partition, record, reason);
  }
  recovery look(offset_range range, std::vector<destination> from, std::uint32_t partition = 0) {
    sink->recover(1, {here, "here", partition, range, std::move(from)});
    EXPECT_TRUE(until([&] { return told("recovered 1") || told("broken"); })) << events.why;
    events.log.clear();
    return events.found;
  }
  bool told(const std::string& what) const {
    return std::find(events.log.begin(), events.log.end(), what) != events.log.end();
  }
  bool until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      context.restart();
      context.run_one_for(std::chrono::milliseconds(20));
    }
    return condition();
  }
  std::vector<offset_t> offsets_found() const {
    std::vector<offset_t> list;
    for (const present_record& record : events.found.present) list.push_back(record.offset);
    return list;
  }
};

TEST_F(kafka_sink_test, confirms_what_it_sent_and_where_it_lies) {
  make();
  open();
  for (offset_t offset = 7; offset < 10; ++offset) EXPECT_EQ(send(offset, 2), send_outcome::accepted);
  ASSERT_TRUE(until([&] { return events.places.size() == 3; }));
  EXPECT_EQ((events.places[{2, 7}]), (destination{2, 0}));
  EXPECT_EQ((events.places[{2, 9}]), (destination{2, 2}));
}

TEST_F(kafka_sink_test, finds_what_was_sent_before) {
  make();
  open();
  for (offset_t offset = 0; offset < 5; ++offset) send(offset);
  send(3, 1);
  ASSERT_TRUE(until([&] { return events.places.size() == 6; }));
  sink->close();
  open();
  const recovery found = look({2, 4}, {{0, 0}});
  EXPECT_THAT(offsets_found(), ElementsAre(2, 3));
  EXPECT_EQ(found.present[0].where, (destination{0, 2}));
  EXPECT_THAT(found.ends, ElementsAre(destination{0, 5}));
}

TEST_F(kafka_sink_test, looks_from_the_offset_it_is_told_and_from_the_end_if_it_is_not) {
  make();
  open();
  for (offset_t offset = 0; offset < 5; ++offset) send(offset);
  ASSERT_TRUE(until([&] { return events.places.size() == 5; }));
  look({0, 100}, {{0, 3}});
  EXPECT_THAT(offsets_found(), ElementsAre(3, 4));
  const recovery found = look({0, 0}, {});
  EXPECT_THAT(offsets_found(), IsEmpty());
  EXPECT_THAT(found.ends, ElementsAre(destination{0, 5}));
}

TEST_F(kafka_sink_test, finds_nothing_of_another_log) {
  make();
  open();
  send(0);
  ASSERT_TRUE(until([&] { return events.places.size() == 1; }));
  sink->recover(1, {{"gateway", "incarnation-b", "topic-id"}, "here", 0, {0, 100}, {{0, 0}}});
  ASSERT_TRUE(until([&] { return told("recovered 1"); }));
  EXPECT_THAT(offsets_found(), IsEmpty());
}

TEST_F(kafka_sink_test, looks_through_all_partitions_when_it_goes_by_key) {
  make(partitioner::murmur2);
  open();
  for (offset_t offset = 0; offset < 20; ++offset) send(offset, 0, std::to_string(offset));
  ASSERT_TRUE(until([&] { return events.places.size() == 20; }));
  const recovery found = look({5, 20}, {{0, 0}, {1, 0}, {2, 0}});
  EXPECT_EQ(found.present.size(), 15u);
  EXPECT_EQ(found.ends.size(), 3u);
}

TEST_F(kafka_sink_test, has_no_place_for_a_source_partition_that_the_destination_lacks) {
  make();
  open();
  look({0, 0}, {}, 3);
  EXPECT_THAT(events.why, testing::HasSubstr("none for the source's partition 3"));
}

TEST_F(kafka_sink_test, tells_that_the_centre_does_not_answer) {
  cluster.cut();
  make();
  sink->open(pace::normal);
  ASSERT_TRUE(until([&] { return told("broken"); }));
}

TEST_F(kafka_sink_test, is_full_at_its_bound_and_has_room_again) {
  make();
  cluster.cut();
  cluster.mend();
  open();
  cluster.cut();
  int taken = 0;
  while (send(static_cast<offset_t>(taken), 0, {}, 4'000) == send_outcome::accepted) ++taken;
  EXPECT_GT(taken, 10);
  EXPECT_LE(taken, 17);
  cluster.mend();
  ASSERT_TRUE(until([&] { return events.places.size() >= static_cast<std::size_t>(taken); }));
  EXPECT_EQ(send(1'000), send_outcome::accepted);
}

TEST_F(kafka_sink_test, gets_over_passing_errors_by_itself) {
  make();
  open();
  cluster.fail_produce(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 2);
  cluster.fail_produce(RD_KAFKA_RESP_ERR__TRANSPORT, 1);
  for (offset_t offset = 0; offset < 3; ++offset) send(offset);
  ASSERT_TRUE(until([&] { return events.places.size() == 3; }));
  EXPECT_LT((events.places[{0, 0}].offset), (events.places[{0, 2}].offset));
}

TEST_F(kafka_sink_test, tells_a_refusal_for_the_time_apart) {
  make();
  open(pace::one_by_one);
  cluster.fail_produce(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, 1);
  send(0);
  EXPECT_TRUE(until([&] { return told("refused for its time 0"); }));
}

TEST_F(kafka_sink_test, breaks_when_a_batch_is_refused_and_names_the_record_one_by_one) {
  make();
  open();
  cluster.fail_produce(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1);
  for (offset_t offset = 0; offset < 3; ++offset) send(offset);
  ASSERT_TRUE(until([&] { return told("broken by a record"); })) << events.why;
  EXPECT_THAT(events.places, IsEmpty());
  open(pace::one_by_one);
  cluster.fail_produce(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1);
  send(0);
  ASSERT_TRUE(until([&] { return told("refused 0"); }));
  send(1);
  ASSERT_TRUE(until([&] { return events.places.size() == 1; }));
}

TEST_F(kafka_sink_test, breaks_when_it_may_not_write) {
  make();
  open();
  cluster.fail_produce(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1);
  send(0);
  ASSERT_TRUE(until([&] { return !events.log.empty(); }));
  EXPECT_THAT(events.log.back(), testing::StartsWith("broken"));
}

TEST_F(kafka_sink_test, refuses_a_record_that_librdkafka_does_not_take) {
  make();
  open();
  EXPECT_EQ(send(0, 0, {}, 3 * 1024 * 1024), send_outcome::refused);
  EXPECT_EQ(send(1), send_outcome::accepted);
}

TEST_F(kafka_sink_test, says_that_the_centre_is_unreachable_and_goes_on_when_it_is_back) {
  make();
  open();
  cluster.cut();
  send(0);
  ASSERT_TRUE(until([&] { return told("unreachable"); }));
  cluster.mend();
  ASSERT_TRUE(until([&] { return events.places.size() == 1; }));
}

TEST_F(kafka_sink_test, hears_of_confirmations_though_its_first_attempts_to_connect_failed) {
  cluster.cut();
  make();
  sink->open(pace::normal);
  context.run_for(std::chrono::milliseconds(300));
  cluster.mend();
  ASSERT_TRUE(until([&] { return told("opened"); })) << events.why;
  send(0);
  EXPECT_TRUE(until([&] { return events.places.size() == 1; }));
}

TEST_F(kafka_sink_test, tells_nothing_of_what_was_before_it_was_closed) {
  make();
  open();
  send(0);
  sink->close();
  open();
  context.run_for(std::chrono::milliseconds(100));
  EXPECT_THAT(events.places, IsEmpty());
}

}  // namespace
}  // namespace tidegate::bridge
