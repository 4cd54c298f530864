#include "bridge/broker_source.hpp"

#include "broker/base/limits.hpp"

namespace tidegate::bridge {
namespace {

constexpr std::chrono::milliseconds long_poll{10'000};
constexpr std::uint32_t fetch_bytes = 512 * limits::kib;

class broker_source final : public source {
 public:
  broker_source(session& session, route& route, std::uint32_t partition)
      : session_(session), route_(route), partition_(partition) {}

  void load_cursor() override {
    session_.spawn([this](client::connection& broker) -> client::awaitable<> {
      const std::string id = topic_id();
      const auto found = co_await broker.fetch_offset(route_.group(), route_.topic(), partition_, id);
      if (!session_.is_current(broker)) co_return;
      std::optional<stored_cursor> stored;
      if (found) stored = stored_cursor{found->offset, found->metadata};
      route_.at(partition_).loaded(stored);
      route_.pump();
    });
  }

  void store_cursor(offset_t offset, std::string_view metadata) override {
    session_.spawn([this, offset, text = std::string(metadata)](client::connection& broker) {
      return store(broker, offset, text);
    });
  }

  void fetch(std::uint64_t ticket, offset_t from) override {
    session_.spawn([this, ticket, from](client::connection& broker) { return read(broker, ticket, from); });
  }

  void dead_letter(const record_view& record, std::string_view reason) override {
    batch_builder copy;
    record_view marked = record;
    marked.offset = 0;
    const std::string partition = std::to_string(partition_);
    const std::string offset = std::to_string(record.offset);
    marked.headers.push_back({"tg-dlt-reason", reason});
    marked.headers.push_back({"tg-dlt-topic", route_.topic()});
    marked.headers.push_back({"tg-dlt-partition", partition});
    marked.headers.push_back({"tg-dlt-offset", offset});
    copy.add(marked);
    session_.spawn([this, batch = copy.finish()](client::connection& broker) { return keep(broker, batch); });
  }

 private:
  client::awaitable<> store(client::connection& broker, offset_t offset, std::string metadata) {
    const std::string id = topic_id();
    co_await broker.commit_offset(route_.group(), route_.topic(), partition_, offset, metadata, id);
    if (!session_.is_current(broker)) co_return;
    route_.at(partition_).stored();
    route_.pump();
  }

  client::awaitable<> read(client::connection& broker, std::uint64_t ticket, offset_t from) {
    client::fetch_request request;
    request.topic = route_.topic();
    request.topic_id = topic_id();
    request.partition = partition_;
    request.offset = from;
    request.max_bytes = fetch_bytes;
    request.max_wait = long_poll;
    client::fetched found = co_await broker.fetch(request);
    if (!session_.is_current(broker)) co_return;
    fetch_answer answer{found.out_of_range, found.log_start, found.high_watermark, std::move(found.batches)};
    route_.at(partition_).fetched(ticket, std::move(answer));
    route_.pump();
  }

  client::awaitable<> keep(client::connection& broker, std::string batch) {
    std::optional<std::string> failure;
    try {
      co_await produce_or_declare(broker, route_.topic() + ".dlt", batch);
    } catch (const error_exception& refused) {
      failure = refused.cause.text;
    }
    if (!session_.is_current(broker)) co_return;
    route_.at(partition_).dead_lettered(failure);
    route_.pump();
  }

  // Declares the topic only if it is missing: an existing one keeps the number of partitions that its owner chose.
  client::awaitable<> produce_or_declare(client::connection& broker, std::string name, std::string batch) {
    bool missing = false;
    try {
      co_await broker.produce(name, 0, batch);
    } catch (const error_exception& refused) {
      if (refused.cause.code != errc::not_found) throw;
      missing = true;
    }
    if (!missing) co_return;
    client::topic_definition topic;
    topic.name = name;
    co_await broker.declare_topic(topic);
    co_await broker.produce(name, 0, batch);
  }

  // Returns the id of the topic that the route reads from. If another topic has the name by now, the broker refuses the
  // request. The refusal ends the connection, and the next session finds the other topic.
  const std::string& topic_id() const { return route_.log().topic_id; }

  session& session_;
  route& route_;
  const std::uint32_t partition_;
};

}  // namespace

std::unique_ptr<source> make_broker_source(session& session, route& route, std::uint32_t partition) {
  return std::make_unique<broker_source>(session, route, partition);
}

}  // namespace tidegate::bridge
