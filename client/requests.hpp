// The requests that have exactly one answer, as coroutines over a session.
//
// A coroutine starts only when it is awaited. The session is passed by value, so it stays alive even if the connection
// object is destroyed by then. Texts have to be valid until the coroutine ends.
#pragma once

#include "client/codec.hpp"
#include "client/connection_part.hpp"

namespace tidegate::client {

class session;

namespace requests {

using held = std::shared_ptr<session>;

awaitable<> declare_exchange(held on, const exchange_definition& exchange, bool passive);
awaitable<declared_queue> declare_queue(held on, const queue_definition& queue, bool passive);
awaitable<declared_topic> declare_topic(held on, const topic_definition& topic, bool passive);
awaitable<> bind(held on, const binding_definition& binding);
awaitable<> unbind(held on, const binding_definition& binding);
awaitable<std::uint64_t> define(held on, const definitions& definitions, bool only_check);
awaitable<std::uint64_t> erase(held on, std::string_view kind, std::string_view name, erase_options options);
awaitable<std::uint64_t> transact(held on, const transaction& transaction);
awaitable<std::uint64_t> purge(held on, std::string_view queue);
awaitable<std::optional<got_message>> get(held on, std::string_view queue, bool auto_ack);
awaitable<std::optional<peeked_message>> peek(held on, std::string_view queue, std::string_view after);
awaitable<listing_page> list(held on, std::string_view kind, std::string_view after);
awaitable<offset_t> produce(held on, codec::place where, std::string_view batch);
awaitable<fetched> fetch(held on, const fetch_request& request);
awaitable<listed_offset> list_offset(held on, codec::place where, std::int64_t timestamp_ms);
awaitable<> commit_offset(held on, std::string_view group, codec::place where, offset_t offset,
                          std::string_view metadata);
awaitable<std::optional<committed_offset>> fetch_offset(held on, std::string_view group, codec::place where);
awaitable<> lease(held on, std::string_view name, lease_options options);

}  // namespace requests
}  // namespace tidegate::client
