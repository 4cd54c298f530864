// Benchmarks of encoding and decoding frames and record batches.
#include <benchmark/benchmark.h>

#include "broker/base/crc32c.hpp"
#include "broker/base/error.hpp"
#include "broker/base/limits.hpp"
#include "broker/frontends/native/codec.hpp"
#include "broker/model/record_batch.hpp"

namespace {

using namespace tidegate;

const std::string body(100, 'b');

std::string publish_frame() {
  tg_PublishMessage publish{};
  publish.id = 123'456;
  publish.routing_key = native::bytes_of("plant.line-3.temperature");
  publish.body = native::bytes_of(body);
  std::string frame;
  native::append_frame(frame, TG_PUBLISH_MESSAGE, tg_PublishMessage_fields, &publish, 256);
  return frame;
}

std::string batch_of(std::int64_t records) {
  batch_builder builder;
  for (std::int64_t i = 0; i < records; ++i) {
    builder.add(record_view{static_cast<offset_t>(i), 1'700'000'000'000 + i, {}, body, {}});
  }
  return builder.finish();
}

void decode_publish(benchmark::State& state) {
  const std::string frame = publish_frame();
  for (auto _ : state) {
    tg_frame split;
    tg_PublishMessage publish{};
    const auto* const data = reinterpret_cast<const std::uint8_t*>(frame.data());
    TIDEGATE_EXPECT(tg_frame_split(data, frame.size(), limits::frame_bytes, &split) == TG_SPLIT_READY);
    TIDEGATE_EXPECT(tg_frame_decode(&split, tg_PublishMessage_fields, &publish));
    benchmark::DoNotOptimize(publish);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_publish);

void encode_publish(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(publish_frame());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(encode_publish);

void build_batch(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(batch_of(state.range(0)));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(build_batch)->Arg(1)->Arg(100)->Arg(1'000);

void walk_batch(benchmark::State& state) {
  const std::string bytes = batch_of(state.range(0));
  const batch_view batch = read_batch(bytes).value();
  for (auto _ : state) {
    record_reader records(batch);
    record_view record;
    while (records.next(record)) benchmark::DoNotOptimize(record);
    TIDEGATE_EXPECT(!records.failed());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(walk_batch)->Arg(1)->Arg(100)->Arg(1'000);

// The checks of a batch in a Produce request before the batch is accepted.
void check_batch(benchmark::State& state) {
  const std::string bytes = batch_of(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(check_produced(bytes).value());
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(check_batch)->Arg(100)->Arg(1'000);

void checksum(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'c');
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(128)->Arg(64 << 10);

}  // namespace
