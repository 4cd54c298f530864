// The expected bytes were made with `protoc --encode tidegate.v1.Link firmware/wire/link.proto`.
#include "client/codec.hpp"

#include <gmock/gmock.h>

#include "broker/base/limits.hpp"

namespace tidegate::client::codec {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[static_cast<unsigned char>(byte) >> 4];
    text += digits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

std::string unhex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

template <class... Args>
std::string encoded(void (*encode)(std::string&, Args...), std::type_identity_t<Args>... args) {
  std::string out;
  encode(out, args...);
  return hex(out);
}

template <class Message>
Message decoded(std::string_view text) {
  const std::string bytes = unhex(text);
  const auto found = split(bytes, limits::frame_bytes).value();
  EXPECT_EQ(found.value().size, bytes.size());
  return std::get<Message>(decode(*found).value());
}

TEST(codec, connects) {
  connect_options options{.name = "tool", .token = "t", .producer = "p", .producer_epoch = 2};
  options.heartbeat = std::chrono::seconds(5);
  EXPECT_EQ(encoded(encode_connect, 1, options), "820114080110011a04746f6f6c22017428053201703802");
}

TEST(codec, publishes_with_headers) {
  const message_view message{
      .exchange = "ex", .routing_key = "a.b", .key = "k", .headers = {{"h", "v"}, {"e", ""}}, .body = "hi"};
  EXPECT_EQ(encoded(encode_publish, 300, message, {.mandatory = true, .sequence = 7}),
            "f2012408ac02120265781a03612e6222016b2a060a01681201762a030a01653202686938014007");
}

TEST(codec, appends_behind_what_is_there) {
  std::string out = "before";
  encode_ping(out, 0);
  encode_pong(out, 7);
  EXPECT_EQ(out, "before" + unhex("5a0062020807"));
}

TEST(codec, publishes_the_largest_message) {
  const std::string body(limits::body_bytes, 'b');
  const std::string name(limits::headers_bytes / limits::headers_count, 'n');
  message_view message{.exchange = {}, .routing_key = "q", .key = {}, .headers = {}, .body = body};
  message.headers.assign(limits::headers_count, {name, ""});
  std::string out;
  encode_publish(out, 1, message, {});
  const auto found = split(out, limits::frame_bytes).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size, out.size());
}

TEST(codec, declares_binds_and_deletes) {
  EXPECT_EQ(encoded(encode_declare_exchange, 8, exchange_definition{"e", "topic"}, false),
            "92010c08081201651a05746f706963");
  const exchange_definition linked{"e", "topic", false, true, ""};
  EXPECT_EQ(encoded(encode_declare_exchange, 8, linked, false), "92011208081201651a05746f706963280030013a00");
  EXPECT_EQ(encoded(encode_declare_queue, 8, queue_definition{"q"}, true), "9a010708081201711801");
  EXPECT_EQ(encoded(encode_declare_queue, 8, queue_definition{"q", "commit", 7, 300, "reject"}, false),
            "9a011a0808120171200728ac02320672656a6563747a06636f6d6d6974");
  topic_definition topic{.name = "t", .partitions = 3, .retention_bytes = 1048576};
  topic.retention_age = std::chrono::minutes(1);
  EXPECT_EQ(encoded(encode_declare_topic, 8, topic, false), "a2010f080812017418032080804028e0d403");
  topic.durability = "interval:5";
  EXPECT_EQ(encoded(encode_declare_topic, 8, topic, false),
            "a2011b080812017418032080804028e0d4037a0a696e74657276616c3a35");
  binding_definition binding{"ex", "topic", "t", "#"};
  EXPECT_EQ(encoded(encode_bind, 2, binding), "aa01130802120265781a05746f7069632201742a0123");
  EXPECT_EQ(encoded(encode_unbind, 2, binding), "b201130802120265781a05746f7069632201742a0123");
  binding.arguments = "\x01kV";
  EXPECT_EQ(encoded(encode_bind, 2, binding), "aa01180802120265781a05746f7069632201742a01233203016b56");
  EXPECT_EQ(encoded(encode_delete, 9, "queue", "q", erase_options{}), "ba010c0809120571756575651a0171");
  EXPECT_EQ(encoded(encode_delete, 9, "queue", "q", erase_options{true, false}), "ba010e0809120571756575651a01712001");
  EXPECT_EQ(encoded(encode_list, 10, "status", "", 0), "d2010a080a1206737461747573");
  EXPECT_EQ(encoded(encode_list, 10, "queues", "work", 65536), "d20114080a12067175657565731a04776f726b20808004");
}

TEST(codec, consumes_and_settles) {
  EXPECT_EQ(encoded(encode_consume, 11, 1, "q", consume_options{10, true}), "8a020b080b10011a0171200a2801");
  EXPECT_EQ(encoded(encode_consume, 11, 1, "q", consume_options{0, false, true, -1}), "8a020b080b10011a017130013801");
  EXPECT_EQ(encoded(encode_get, 4, "q", true),
            "aa02070804120171"
            "1801");
  EXPECT_EQ(encoded(encode_peek, 4, "q", "p"),
            "aa020a0804120171"
            "20012a0170");
  definitions definitions;
  definitions.exchanges.push_back({.name = "x", .type = "topic"});
  definitions.queues.push_back({.name = "q"});
  definitions.topics.push_back({.name = "t", .partitions = 2});
  definitions.bindings.push_back({.exchange = "x", .target_kind = "queue", .target = "q"});
  EXPECT_EQ(encoded(encode_define, 4, definitions, true),
            "9a032b0804"
            "120a1201781a05746f706963"
            "1a03120171"
            "22051201741802"
            "2a0d1201781a0571756575652201713001");
  EXPECT_EQ(encoded(encode_purge, 4, "q"),
            "e20105080412"
            "0171");
  EXPECT_EQ(encoded(encode_cancel, 12, 1), "920204080c1001");
  transaction transaction;
  message_view message;
  message.routing_key = "work";
  message.body = "abc";
  transaction.publishes.push_back({message, std::chrono::milliseconds(10'000)});
  transaction.settlements.push_back({2, outcome::requeue, true});
  transaction.all_routable = true;
  EXPECT_EQ(encoded(encode_transact, 16, transaction),
            "92031c0810120e1a04776f726b320361626350904e1a060802100118012001");
  EXPECT_EQ(encoded(encode_settle, 9, outcome::discard, true), "a20206080910011802");
}

TEST(codec, reads_and_writes_topics) {
  EXPECT_EQ(encoded(encode_produce, 5, place{"t", 2}, "abc"), "c2020c080512017418022203616263");
  fetch_request request{.topic = "t", .partition = 1, .offset = 1000, .max_bytes = 4096};
  request.max_wait = std::chrono::milliseconds(500);
  EXPECT_EQ(encoded(encode_fetch, 3, request), "d202120803120174180120e807288020300138f403");
  EXPECT_EQ(encoded(encode_list_offset, 4, place{"t", 0}, timestamp_start), "e2020708041201742003");
  EXPECT_EQ(encoded(encode_commit_offset, 6, "g", place{"t", 1}, 42, "m"), "f2020f08061201671a01742001282a32016d");
  EXPECT_EQ(encoded(encode_fetch_offset, 7, "g", place{"t", 0}), "fa020808071201671a0174");
}

TEST(codec, takes_deliveries_that_outlive_the_frame) {
  const auto got = decoded<delivery>("9a022008011005180120022a016132016b3a060a01681201764202686948e807520178");
  EXPECT_EQ(got.consumer, 1u);
  EXPECT_EQ(got.tag, 5u);
  EXPECT_TRUE(got.redelivered);
  EXPECT_EQ(got.delivery_count, 2u);
  EXPECT_EQ(got.timestamp_ms, 1000);
  EXPECT_EQ(got.message.exchange, "x");
  EXPECT_EQ(got.message.routing_key, "a");
  EXPECT_EQ(got.message.key, "k");
  EXPECT_EQ(got.message.body, "hi");
  ASSERT_EQ(got.message.headers.size(), 1u);
  EXPECT_EQ(got.message.headers[0].name, "h");
  EXPECT_EQ(got.message.headers[0].value, "v");
}

TEST(codec, takes_what_connects_confirms_and_refuses) {
  const auto hello = decoded<connected>("8a01130801120173181e208080402a01673201693804");
  EXPECT_EQ(hello.info.gateway, "g");
  EXPECT_EQ(hello.info.incarnation, "i");
  EXPECT_EQ(hello.info.producer_sequence, 4u);
  EXPECT_EQ(hello.heartbeat, std::chrono::seconds(30));
  EXPECT_EQ(hello.largest_frame, limits::frame_bytes);

  const auto settled = decoded<confirm>("fa010c080310011805220466756c6c");
  EXPECT_EQ(settled.id, 3u);
  EXPECT_TRUE(settled.multiple);
  EXPECT_EQ(settled.failure.value().code, errc::store_full);
  EXPECT_EQ(settled.failure.value().text, "full");

  const auto refused = decoded<refusal>("ca011108021001180222026e6f2a057175657565");
  EXPECT_EQ(refused.correlation, 2u);
  EXPECT_TRUE(refused.closing);
  EXPECT_EQ(refused.cause.code, errc::not_found);
  EXPECT_EQ(refused.cause.field, "queue");
}

TEST(codec, takes_answers) {
  const auto batches = decoded<fetch_answer>("da020b08031007180520092a0162");
  EXPECT_TRUE(batches.value.out_of_range);
  EXPECT_EQ(batches.value.log_start, 5u);
  EXPECT_EQ(batches.value.high_watermark, 9u);
  EXPECT_EQ(batches.value.batches, "b");
  EXPECT_EQ(decoded<done>("c20106080110021803").message_count, 3u);
  EXPECT_EQ(decoded<listed>("da0106080212025b5d").page.json, "[]");
  EXPECT_EQ(decoded<listed>("da0106080212025b5d").page.next, "");
  EXPECT_EQ(decoded<listed>("da0109080212025b5d1a0161").page.next, "a");
  EXPECT_EQ(decoded<returned>("8202020804").id, 4u);
  EXPECT_EQ(decoded<produced>("ca020408011009").base_offset, 9u);
  EXPECT_EQ(decoded<offset_answer>("ea02080803100118022003").value.high_watermark, 3u);
  EXPECT_EQ(decoded<committed_answer>("8203"
                                      "09"
                                      "080410011806"
                                      "22016d")
                .value.value()
                .metadata,
            "m");
  EXPECT_FALSE(decoded<committed_answer>("8203020804").value);
}

TEST(codec, skips_members_it_does_not_know) {
  EXPECT_TRUE(std::holds_alternative<skipped>(decode({.member = 99, .body = "x", .size = 4}).value()));
}

TEST(codec, knows_a_code_of_a_newer_broker_as_unsupported) {
  EXPECT_EQ(decoded<confirm>("fa01"
                             "04"
                             "08011863")
                .failure.value()
                .code,
            errc::unsupported);
}

TEST(codec, refuses_a_body_that_is_cut) {
  const auto got = decode({.member = 24, .body = std::string_view("\x08", 1), .size = 4});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().text, "malformed Done");
}

TEST(codec, splits_as_bytes_arrive) {
  const std::string bytes = unhex("c20106080110021803");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(split(std::string_view(bytes).substr(0, size), 100).value()) << size;
  }
  EXPECT_EQ(split(bytes + "more", 100).value().value().size, bytes.size());
}

TEST(codec, tells_garbage_from_frames_that_are_too_large) {
  EXPECT_EQ(split("HTTP/1.1 400", 100).error().code, errc::invalid);
  EXPECT_EQ(split(unhex("c201ffffff07"), 100).error().code, errc::too_large);
}

}  // namespace
}  // namespace tidegate::client::codec
