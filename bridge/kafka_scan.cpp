#include "bridge/kafka_scan.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

#include "bridge/provenance.hpp"

namespace tidegate::bridge {
namespace {

constexpr int metadata_timeout_ms = 5'000;
constexpr int poll_ms = 100;
constexpr int patience_polls = 100;  // ten seconds without a record or an end

[[noreturn]] void fail(std::string text) { throw error_exception(error{errc::not_found, std::move(text)}); }

template <auto Destroy>
struct deleter {
  template <class T>
  void operator()(T* handle) const {
    Destroy(handle);
  }
};
using handle_owner = std::unique_ptr<rd_kafka_t, deleter<rd_kafka_destroy>>;
using topic_owner = std::unique_ptr<rd_kafka_topic_t, deleter<rd_kafka_topic_destroy>>;
using queue_owner = std::unique_ptr<rd_kafka_queue_t, deleter<rd_kafka_queue_destroy>>;
using message_owner = std::unique_ptr<rd_kafka_message_t, deleter<rd_kafka_message_destroy>>;

// The progress of reading one partition.
struct span {
  std::int32_t partition = 0;
  std::int64_t end = -1;  // the partition's high watermark when the reading started; -1 = not known yet
  bool done = false;
};

handle_owner make_reader(const kafka_settings& settings) {
  kafka_conf conf = reader_conf(settings).value();
  std::array<char, 512> reason{};
  handle_owner handle(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), reason.data(), reason.size()));
  if (!handle) fail(reason.data());
  conf.release();  // the handle owns it now
  return handle;
}

std::vector<header> headers_of(const rd_kafka_message_t& message) {
  std::vector<header> list;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return list;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
    list.push_back({name, {static_cast<const char*>(value), value == nullptr ? 0 : size}});
  }
  return list;
}

bool is_ours(const provenance& from, const recovery_request& request) {
  identity source = from.source;
  // The record was sent by a bridge from before topics had ids, so it belongs to the cursor's log.
  if (source.topic_id.empty()) source.topic_id = request.source.topic_id;
  return source == request.source && from.topic == request.topic && from.partition == request.partition &&
         from.offset >= request.range.begin && from.offset < request.range.end;
}

std::int64_t start_of(const recovery_request& request, std::int32_t partition) {
  for (const destination& from : request.from) {
    if (from.partition == partition) return from.offset;
  }
  return RD_KAFKA_OFFSET_END;
}

std::vector<span> spans_of(const kafka_settings& settings, const recovery_request& request, std::int32_t partitions) {
  std::vector<span> spans;
  if (settings.partitioner == partitioner::source) {
    spans.push_back({static_cast<std::int32_t>(request.partition)});
    return spans;
  }
  for (std::int32_t partition = 0; partition < partitions; ++partition) spans.push_back({partition});
  return spans;
}

// Reads until every span is done. The destructor stops consuming.
class reading {
 public:
  reading(const kafka_settings& settings, const recovery_request& request, std::int32_t partitions)
      : request_(request),
        handle_(make_reader(settings)),
        topic_(rd_kafka_topic_new(handle_.get(), settings.topic.c_str(), nullptr)),
        queue_(rd_kafka_queue_new(handle_.get())),
        spans_(spans_of(settings, request, partitions)) {
    find_leaders();
    for (const span& span : spans_) {
      const int failed =
          rd_kafka_consume_start_queue(topic_.get(), span.partition, start_of(request, span.partition), queue_.get());
      if (failed != 0) fail(rd_kafka_err2str(rd_kafka_last_error()));
    }
  }
  reading(const reading&) = delete;
  reading& operator=(const reading&) = delete;
  ~reading() {
    for (const span& span : spans_) rd_kafka_consume_stop(topic_.get(), span.partition);
  }

  recovery run(const std::stop_token& stop) {
    for (int quiet = 0; !done(); ++quiet) {
      if (stop.stop_requested()) fail("stopped while looking for what was sent");
      if (quiet == patience_polls) fail("the destination brings nothing while looking for what was sent");
      const message_owner message(rd_kafka_consume_queue(queue_.get(), poll_ms));
      if (message && take(*message)) quiet = 0;
    }
    return finish();
  }

 private:
  // Consuming would find the leaders by itself, but its first request fails and is repeated only a second later.
  void find_leaders() {
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto failure = rd_kafka_metadata(handle_.get(), 0, topic_.get(), &metadata, metadata_timeout_ms);
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(failure));
    rd_kafka_metadata_destroy(metadata);
  }

  bool done() const {
    return std::all_of(spans_.begin(), spans_.end(), [](const span& span) { return span.done; });
  }

  // Returns false if the message is no progress, such as a temporary error.
  bool take(const rd_kafka_message_t& message) {
    const auto at = std::find_if(spans_.begin(), spans_.end(),
                                 [&](const span& span) { return span.partition == message.partition; });
    if (at == spans_.end() || at->done) return false;
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      at->end = std::max(at->end, message.offset);
      at->done = true;
      return true;
    }
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    if (at->end < 0) at->end = high_watermark(*at);
    keep_if_ours(message);
    // Other clients may be writing to the partition: records after that end were not sent by us.
    at->done = at->end >= 0 && message.offset + 1 >= at->end;
    return true;
  }

  // Returns the high watermark that came with the first records. A query for it would block for ever (librdkafka before
  // 2.4).
  std::int64_t high_watermark(const span& span) const {
    std::int64_t low = -1;
    std::int64_t high = -1;
    rd_kafka_get_watermark_offsets(handle_.get(), rd_kafka_topic_name(topic_.get()), span.partition, &low, &high);
    return high;
  }

  void keep_if_ours(const rd_kafka_message_t& message) {
    const auto from = read_provenance(headers_of(message));
    if (from && is_ours(*from, request_)) found_.push_back({from->offset, {message.partition, message.offset}});
  }

  recovery finish() {
    const auto before = [](const present_record& a, const present_record& b) { return a.offset < b.offset; };
    const auto same = [](const present_record& a, const present_record& b) { return a.offset == b.offset; };
    std::stable_sort(found_.begin(), found_.end(), before);
    found_.erase(std::unique(found_.begin(), found_.end(), same), found_.end());
    recovery result{std::move(found_), {}};
    for (const span& span : spans_) result.ends.push_back({span.partition, span.end});
    return result;
  }

  const recovery_request& request_;
  const handle_owner handle_;
  const topic_owner topic_;
  const queue_owner queue_;
  std::vector<span> spans_;
  std::vector<present_record> found_;
};

}  // namespace

recovery scan_destination(const kafka_settings& settings, const recovery_request& request, std::int32_t partitions,
                          std::stop_token stop) {
  if (settings.partitioner == partitioner::source && static_cast<std::int32_t>(request.partition) >= partitions) {
    fail(fmt::format("topic {} has {} partitions and none for the source's partition {}; name a partitioner by key",
                     settings.topic, partitions, request.partition));
  }
  return reading(settings, request, partitions).run(stop);
}

}  // namespace tidegate::bridge
