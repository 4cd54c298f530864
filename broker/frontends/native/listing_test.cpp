// Tests lists, page by page.
#include "broker/frontends/native/listing.hpp"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "broker/frontends/native/testing.hpp"

namespace tidegate::native {
namespace {

namespace json = boost::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using namespace std::string_literals;

class listings : public testing::Test {
 protected:
  core::receipt receipt() { return gateway_.broker.next_receipt(); }
  const core::api::services& core() { return gateway_.broker.services(); }
  void make_queue(const std::string& name) { core().defining.declare_queue({name}, receipt()).value(); }
  void make_topic(const std::string& name, std::uint32_t partitions = 1) {
    core().defining.declare_topic({name, partitions}, receipt()).value();
  }
  void bind(const std::string& queue, const std::string& key) {
    core().defining.bind({"amq.topic", target_kind::queue, queue, key}, receipt()).value();
  }

  listing_page page(std::string_view kind, std::string_view after, std::size_t bytes_max = 1) {
    return listing({kind, after, bytes_max}, gateway_.front()).value();
  }
  // Returns the column of all rows, read with one row a page. `between` is called between pages.
  std::vector<std::string> walk(
      std::string_view kind, const std::string& column, const std::function<void()>& between = [] {}) {
    std::vector<std::string> found;
    listing_page at;
    do {
      at = page(kind, at.next);
      const json::value rows = json::parse(at.json);
      EXPECT_LE(rows.as_array().size(), 1u);
      for (const json::value& row : rows.as_array()) {
        const json::value& cell = row.at(column);
        found.push_back(cell.is_string() ? std::string(cell.as_string()) : json::serialize(cell));
      }
      between();
    } while (!at.next.empty());
    return found;
  }

  gateway gateway_;
};

TEST_F(listings, exchanges_go_by_name) {
  core().defining.declare_exchange({"b", exchange_type::topic}, receipt()).value();
  EXPECT_THAT(walk("exchanges", "name"),
              ElementsAre("amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic", "b"));
}

TEST_F(listings, queues_go_by_name) {
  for (const char* name : {"c", "a", "b"}) make_queue(name);
  EXPECT_THAT(walk("queues", "name"), ElementsAre("a", "b", "c"));
}

TEST_F(listings, topics_go_by_name) {
  for (const char* name : {"c", "a", "b"}) make_topic(name);
  EXPECT_THAT(walk("topics", "name"), ElementsAre("a", "b", "c"));
}

TEST_F(listings, a_queue_shows_the_arguments_of_its_client) {
  core::api::queue_request request{"a"};
  request.arguments = "\x01kS\0\0\0\1v"s;
  core().defining.declare_queue(request, receipt()).value();
  EXPECT_THAT(page("queues", {}, 10'000).json, HasSubstr(R"("arguments":{"k":"v"})"));
}

TEST_F(listings, bindings_go_by_all_that_they_are) {
  make_queue("a");
  make_queue("b");
  make_topic("a");
  bind("a", "x");
  bind("b", std::string("y\0z", 3));
  bind("b", std::string("y\0", 2));
  bind("b", "");
  core().defining.bind({"amq.direct", target_kind::topic, "a", "x"}, receipt()).value();
  core().defining.bind({"amq.headers", target_kind::queue, "a", "h", "\x01kS\0\0\0\1v"s}, receipt()).value();
  EXPECT_THAT(walk("bindings", "routing_key"),
              UnorderedElementsAre("x", "x", "", std::string("y\0", 2), std::string("y\0z", 3), "h"));
  EXPECT_THAT(page("bindings", {}, 10'000).json,
              HasSubstr(R"("routing_key":"h","arguments":{"k":"v"},"arguments_hex":"016b530000000176")"));
}

TEST_F(listings, groups_go_by_topic_partition_and_name) {
  make_topic("log", 3);
  make_topic("other");
  const auto commit = [&](std::string_view group, std::string_view topic, std::uint32_t partition) {
    core().grouping.commit_offset(group, topic, partition, 0, {}, receipt()).value();
  };
  commit("h", "other", 0);
  commit("g", "log", 2);
  commit("h", "log", 0);
  commit("g", "log", 0);
  EXPECT_THAT(walk("groups", "group"), ElementsAre("g", "h", "g", "h"));
  EXPECT_THAT(walk("groups", "partition"), ElementsAre("0", "0", "2", "0"));
}

TEST_F(listings, connections_go_by_number) {
  peer first(gateway_), second(gateway_), third(gateway_);
  EXPECT_THAT(walk("connections", "id"), SizeIs(3));
  const auto forget_first = [&] { first.drop(); };
  EXPECT_THAT(walk("connections", "id", forget_first), SizeIs(3));
  EXPECT_THAT(walk("connections", "id"), SizeIs(2));
}

TEST_F(listings, losses_go_by_number_through_the_whole_ledger) {
  for (std::uint64_t i = 0; i < 3'000; ++i) {
    core().publishing.lose("hall", 10 * i, 10 * i + 1);
    if (i % 100 == 0) gateway_.broker.commit();
  }
  gateway_.broker.commit();
  const auto numbers = walk("losses", "number");
  ASSERT_THAT(numbers, SizeIs(3'000));
  for (std::size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], std::to_string(i + 1));
}

TEST_F(listings, what_stays_is_listed_once_whatever_comes_and_goes) {
  for (int i = 0; i < 100; ++i) make_queue(fmt::format("stays{:03}", i));
  int changes = 0;
  const auto change = [&] {
    make_queue(fmt::format("a{}", ++changes));
    make_queue(fmt::format("stays{:03}z", changes));
    core().defining.remove_queue(fmt::format("stays{:03}z", changes - 1), receipt()).value();
    core().defining.remove_queue(fmt::format("a{}", changes - 1), receipt()).value();
  };
  auto names = walk("queues", "name", change);
  std::erase_if(names, [](const auto& name) { return name.size() != 8; });
  ASSERT_THAT(names, SizeIs(100));
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(names[i], fmt::format("stays{:03}", i));
}

TEST_F(listings, a_page_holds_what_fits_and_the_next_goes_on) {
  for (int i = 0; i < 1'000; ++i) make_queue(fmt::format("q{:04}", i));
  std::size_t rows = 0, pages = 0;
  listing_page at;
  do {
    at = page("queues", at.next, 8 * limits::kib);
    EXPECT_LE(at.json.size(), 8 * limits::kib);
    rows += json::parse(at.json).as_array().size();
    ++pages;
  } while (!at.next.empty());
  EXPECT_EQ(rows, 1'000u);
  EXPECT_LT(pages, 40u);
}

TEST_F(listings, as_many_queues_as_there_may_be_are_no_error) {
  for (std::size_t i = 0; i < limits::definitions_count; ++i) make_queue(fmt::format("queue-{:05}", i));
  const auto first = page("queues", {}, 0);
  EXPECT_LE(first.json.size(), limits::listing_bytes_max);
  EXPECT_GT(json::parse(first.json).as_array().size(), 4'000u);
  const auto second = page("queues", first.next, 0);
  EXPECT_EQ(json::parse(second.json).at(0).at("name").as_string(),
            fmt::format("queue-{:05}", json::parse(first.json).as_array().size()));
}

// The row is as long as its names and numbers can make it.
TEST_F(listings, the_longest_row_fits_a_frame) {
  const core::api::topic_request longest{std::string(limits::name_bytes, 't'),
                                         limits::partitions_per_topic,
                                         0,
                                         {},
                                         0,
                                         {},
                                         std::vector(2, std::string(limits::name_bytes, '"'))};
  core().defining.declare_topic(longest, receipt()).value();
  const auto one = page("topics", {});
  EXPECT_EQ(one.next, "");
  const std::size_t digits_left = limits::partitions_per_topic * 5 * 19;
  EXPECT_LE(one.json.size() + digits_left, 256 * limits::kib);
}

TEST_F(listings, a_place_that_no_page_gave_is_refused) {
  make_topic("log");
  for (const auto& [kind, after] :
       std::vector<std::pair<std::string, std::string>>{{"losses", "x"},
                                                        {"losses", "1x"},
                                                        {"losses", "99999999999999999999"},
                                                        {"connections", "-1"},
                                                        {"bindings", "a"},
                                                        {"bindings", std::string("a\0lake\0b\0", 9)},
                                                        {"groups", "log"},
                                                        {"groups", std::string("log\0x\0g", 7)},
                                                        {"groups", std::string("log\0"
                                                                               "4294967296\0g",
                                                                               16)}}) {
    const auto refused = listing({kind, after, 0}, gateway_.front());
    ASSERT_FALSE(refused) << kind << " " << after;
    EXPECT_EQ(refused.error().field, "after");
  }
  EXPECT_EQ(page("losses", "18446744073709551615").json, "[]");
  EXPECT_EQ(page("queues", "zzz").json, "[]");
}

TEST_F(listings, an_application_asks_for_the_next_page_by_its_place) {
  peer peer(gateway_);
  peer.connect();
  tg_List list{2, bytes_of("exchanges"), {}, 1};
  peer.send(TG_LIST, tg_List_fields, list, 64);
  const auto first = peer.take();
  ASSERT_THAT(first, SizeIs(1));
  const auto next = first[0].as<tg_Listed>(tg_Listed_fields).next;
  EXPECT_EQ(view_of(next), "amq.direct");
  list.after = next;
  peer.send(TG_LIST, tg_List_fields, list, 64);
  EXPECT_THAT(peer.answers(),
              ElementsAre(R"(listed [{"name":"amq.fanout","type":"fanout","auto_delete":false,"internal":false,)"
                          R"("alternate":null,"bindings":0}])"));
  list.after = bytes_of("amq.topic");
  peer.send(TG_LIST, tg_List_fields, list, 64);
  EXPECT_THAT(peer.answers(), ElementsAre("listed []"));
}

}  // namespace
}  // namespace tidegate::native
