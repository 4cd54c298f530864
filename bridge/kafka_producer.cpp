#include "bridge/kafka_producer.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "bridge/provenance.hpp"

namespace tidegate::bridge {
namespace {

constexpr int metadata_timeout_ms = 5'000;
// Each partition needs space in the cursor's metadata (limits::metadata_bytes): at most 4 + 20 characters of 4,000.
constexpr std::int32_t keyed_partitions_max = 128;

[[noreturn]] void fail(errc code, std::string text) { throw error_exception(error{code, std::move(text)}); }

// Returns whether the record itself or its size caused the failure, so that another attempt would fail as well.
bool is_refusal(rd_kafka_resp_err_t failure) {
  switch (failure) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD: return true;
    default: return false;
  }
}

rd_kafka_headers_t* headers_of(const provenance& from, const record_view& record) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size() + 5);
  const auto add = [&](std::string_view name, std::string_view value) {
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  };
  write_provenance(from, add);
  for (const header& header : record.headers) add(header.name, header.value);
  return headers;
}

void* writable(std::string_view bytes) { return const_cast<char*>(bytes.data()); }

using field_list = std::array<rd_kafka_vu_t, 8>;

field_list fields_of(rd_kafka_topic_t* topic, std::int32_t partition, const record_view& record, void* opaque,
                     rd_kafka_headers_t* headers) {
  field_list fields{};
  fields[0].vtype = RD_KAFKA_VTYPE_RKT;
  fields[0].u.rkt = topic;
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[1].u.i32 = partition;
  fields[2].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[2].u.mem = {writable(record.body), record.body.size()};
  // An empty key means no key here, which librdkafka expects as a null pointer.
  fields[3].vtype = RD_KAFKA_VTYPE_KEY;
  fields[3].u.mem = {record.key.empty() ? nullptr : writable(record.key), record.key.size()};
  fields[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[4].u.i = RD_KAFKA_MSG_F_COPY;
  fields[5].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  fields[5].u.i64 = record.timestamp_ms;
  fields[6].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[6].u.ptr = opaque;
  fields[7].vtype = RD_KAFKA_VTYPE_HEADERS;
  fields[7].u.headers = headers;
  return fields;
}

}  // namespace

void kafka_producer::handle_deleter::operator()(rd_kafka_s* handle) const { rd_kafka_destroy(handle); }
void kafka_producer::handle_deleter::operator()(rd_kafka_topic_s* topic) const { rd_kafka_topic_destroy(topic); }
void kafka_producer::handle_deleter::operator()(rd_kafka_queue_s* queue) const { rd_kafka_queue_destroy(queue); }

kafka_producer::kafka_producer(const kafka_settings& settings, pace pace) : partitioner_(settings.partitioner) {
  kafka_conf conf = producer_conf(settings, pace).value();
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  std::array<char, 512> reason{};
  handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size()));
  if (!handle_) fail(errc::invalid, reason.data());
  conf.release();  // the handle owns it now
  topic_.reset(rd_kafka_topic_new(handle_.get(), settings.topic.c_str(), nullptr));
  ask_partitions(settings);
  // Readable from the start: librdkafka signals only the change from an empty queue to a non-empty one, and the queue
  // may already contain reports of failed connection attempts.
  event_ = ::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  queue_.reset(rd_kafka_queue_get_main(handle_.get()));
  constexpr std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_.get(), event_, &one, sizeof one);
}

kafka_producer::~kafka_producer() {
  if (queue_) rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  // Without the purge librdkafka waits for outstanding acknowledgements.
  rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  queue_.reset();
  topic_.reset();
  handle_.reset();
  if (event_ >= 0) ::close(event_);
}

void kafka_producer::ask_partitions(const kafka_settings& settings) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto failure = rd_kafka_metadata(handle_.get(), 0, topic_.get(), &metadata, metadata_timeout_ms);
  if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fail(errc::not_found, fmt::format("{} does not answer: {}", settings.brokers, rd_kafka_err2str(failure)));
  }
  const std::unique_ptr<const rd_kafka_metadata_t, void (*)(const rd_kafka_metadata_t*)> owner(
      metadata, rd_kafka_metadata_destroy);
  if (metadata->topic_cnt != 1 || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const auto cause = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    fail(errc::not_found, fmt::format("topic {}: {}", settings.topic, rd_kafka_err2str(cause)));
  }
  partitions_ = metadata->topics[0].partition_cnt;
  if (settings.partitioner != partitioner::source && partitions_ > keyed_partitions_max) {
    fail(errc::limit, fmt::format("topic {} has {} partitions; by key the bridge serves at most {}", settings.topic,
                                  partitions_, keyed_partitions_max));
  }
}

std::size_t kafka_producer::keep_tag(origin of) {
  if (free_tags_.empty()) {
    free_tags_.push_back(tags_.size());
    tags_.emplace_back();
  }
  const std::size_t place = free_tags_.back();
  free_tags_.pop_back();
  tags_[place] = of;
  return place;
}

kafka_producer::origin kafka_producer::give_back_tag(void* opaque) {
  const std::size_t place = reinterpret_cast<std::uintptr_t>(opaque) - 1;
  free_tags_.push_back(place);
  return tags_.at(place);
}

send_outcome kafka_producer::send(const identity& source, const std::string& topic, std::uint32_t partition,
                                  const record_view& record, std::string& reason) {
  rd_kafka_headers_t* headers = headers_of({source, topic, partition, record.offset}, record);
  void* opaque = reinterpret_cast<void*>(keep_tag({partition, record.offset}) + 1);
  const std::int32_t to = choose_partition(partitioner_, record.key, partition, partitions_);
  const field_list fields = fields_of(topic_.get(), to, record, opaque, headers);
  rd_kafka_error_t* const failure = rd_kafka_produceva(handle_.get(), fields.data(), fields.size());
  if (failure == nullptr) return send_outcome::accepted;
  give_back_tag(opaque);
  rd_kafka_headers_destroy(headers);
  const rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
  reason = code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? "" : rd_kafka_error_string(failure);
  rd_kafka_error_destroy(failure);
  return is_refusal(code) ? send_outcome::refused : send_outcome::full;
}

void kafka_producer::report_delivery(const rd_kafka_message_t& message, const std::function<void(kafka_report)>& take) {
  const origin of = give_back_tag(message._private);
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    return take({kafka_report::kind::delivered, of.partition, of.offset, {message.partition, message.offset}, {}, {}});
  }
  const auto what = is_refusal(message.err) ? kafka_report::kind::refused : kafka_report::kind::failed;
  const auto cause = message.err == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP ? refusal_cause::time : refusal_cause::record;
  take({what, of.partition, of.offset, {}, rd_kafka_err2str(message.err), cause});
}

void kafka_producer::report_error(rd_kafka_op_s& event, const std::function<void(kafka_report)>& take) {
  const std::string text = rd_kafka_event_error_string(&event);
  if (rd_kafka_event_error(&event) == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    return take({kafka_report::kind::unreachable, 0, 0, {}, text, {}});
  }
  if (rd_kafka_event_error_is_fatal(&event) == 0) return;
  // A refused batch breaks the gapless guarantee. The reports of the batch itself may come after this error.
  std::array<char, 512> reason{};
  const rd_kafka_resp_err_t cause = rd_kafka_fatal_error(handle_.get(), reason.data(), reason.size());
  const bool refused = cause == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE;
  take({refused ? kafka_report::kind::refused : kafka_report::kind::fatal, 0, 0, {}, reason.data(), {}});
}

void kafka_producer::take_reports(const std::function<void(kafka_report)>& take) {
  while (rd_kafka_event_t* const event = rd_kafka_queue_poll(queue_.get(), 0)) {
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
      while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) report_delivery(*message, take);
    } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
      report_error(*event, take);
    }
    rd_kafka_event_destroy(event);
  }
}

void kafka_producer::flush(std::chrono::milliseconds at_most) {
  rd_kafka_flush(handle_.get(), static_cast<int>(at_most.count()));
}

}  // namespace tidegate::bridge
