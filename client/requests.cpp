#include "client/requests.hpp"

#include "client/session.hpp"

namespace tidegate::client::requests {

awaitable<> declare_exchange(held on, const exchange_definition& exchange, bool passive) {
  co_await on->ask<codec::done>([&](std::string& out, std::uint32_t correlation) {
    codec::encode_declare_exchange(out, correlation, exchange, passive);
  });
}

awaitable<declared_queue> declare_queue(held on, const queue_definition& queue, bool passive) {
  auto done = co_await on->ask<codec::done>([&](std::string& out, std::uint32_t correlation) {
    codec::encode_declare_queue(out, correlation, queue, passive);
  });
  co_return declared_queue{std::move(done.name), done.message_count, done.consumers};
}

awaitable<declared_topic> declare_topic(held on, const topic_definition& topic, bool passive) {
  const auto done = co_await on->ask<codec::done>([&](std::string& out, std::uint32_t correlation) {
    codec::encode_declare_topic(out, correlation, topic, passive);
  });
  co_return declared_topic{done.partitions, done.topic_id, done.notice};
}

awaitable<> bind(held on, const binding_definition& binding) {
  co_await on->ask<codec::done>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_bind(out, correlation, binding); });
}

awaitable<> unbind(held on, const binding_definition& binding) {
  co_await on->ask<codec::done>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_unbind(out, correlation, binding); });
}

awaitable<std::uint64_t> define(held on, const definitions& definitions, bool only_check) {
  const auto done = co_await on->ask<codec::done>([&](std::string& out, std::uint32_t correlation) {
    codec::encode_define(out, correlation, definitions, only_check);
  });
  co_return done.message_count;
}

awaitable<std::uint64_t> erase(held on, std::string_view kind, std::string_view name, erase_options options) {
  const auto done = co_await on->ask<codec::done>([&](std::string& out, std::uint32_t correlation) {
    codec::encode_delete(out, correlation, kind, name, options);
  });
  co_return done.message_count;
}

awaitable<std::uint64_t> transact(held on, const transaction& transaction) {
  const auto done = co_await on->ask<codec::done>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_transact(out, correlation, transaction); });
  co_return done.message_count;
}

awaitable<std::uint64_t> purge(held on, std::string_view queue) {
  const auto done = co_await on->ask<codec::done>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_purge(out, correlation, queue); });
  co_return done.message_count;
}

awaitable<std::optional<got_message>> get(held on, std::string_view queue, bool auto_ack) {
  auto answer = co_await on->ask<codec::got>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_get(out, correlation, queue, auto_ack); });
  co_return std::move(answer.value);
}

awaitable<std::optional<peeked_message>> peek(held on, std::string_view queue, std::string_view after) {
  auto answer = co_await on->ask<codec::got>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_peek(out, correlation, queue, after); });
  if (!answer.value) co_return std::nullopt;
  co_return peeked_message{std::move(answer.value->delivery), std::move(answer.place), answer.value->left};
}

awaitable<listing_page> list(held on, std::string_view kind, std::string_view after) {
  auto listed = co_await on->ask<codec::listed>([&](std::string& out, std::uint32_t correlation) {
    codec::encode_list(out, correlation, kind, after, limits::listing_page_bytes);
  });
  co_return std::move(listed.page);
}

awaitable<offset_t> produce(held on, codec::place where, std::string_view batch) {
  const auto produced = co_await on->ask<codec::produced>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_produce(out, correlation, where, batch); });
  co_return produced.base_offset;
}

awaitable<fetched> fetch(held on, const fetch_request& request) {
  const auto encode = [&](std::string& out, std::uint32_t correlation) {
    codec::encode_fetch(out, correlation, request);
  };
  auto answer = co_await on->ask<codec::fetch_answer>(encode, request.max_wait);
  co_return std::move(answer.value);
}

awaitable<listed_offset> list_offset(held on, codec::place where, std::int64_t timestamp_ms) {
  const auto answer = co_await on->ask<codec::offset_answer>([&](std::string& out, std::uint32_t correlation) {
    codec::encode_list_offset(out, correlation, where, timestamp_ms);
  });
  co_return answer.value;
}

awaitable<> commit_offset(held on, std::string_view group, codec::place where, offset_t offset,
                          std::string_view metadata) {
  co_await on->ask<codec::done>([&](std::string& out, std::uint32_t correlation) {
    codec::encode_commit_offset(out, correlation, group, where, offset, metadata);
  });
}

awaitable<std::optional<committed_offset>> fetch_offset(held on, std::string_view group, codec::place where) {
  auto answer = co_await on->ask<codec::committed_answer>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_fetch_offset(out, correlation, group, where); });
  co_return std::move(answer.value);
}

awaitable<> lease(held on, std::string_view name, lease_options options) {
  co_await on->ask<codec::done>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_lease(out, correlation, name, options); });
}

}  // namespace tidegate::client::requests
