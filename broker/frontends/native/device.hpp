// A device's side of the native protocol (docs/wire.md, "A device"): takes sequences in, and sends cumulative
// acknowledgements.
#pragma once

#include <array>
#include <deque>

#include "broker/frontends/native/session.hpp"

namespace tidegate::native {

class device final : public role {
 public:
  // Answers with Welcome. Returns null if the device was refused, after an answer that says so.
  static std::unique_ptr<role> admit(session& session, const tg_Hello& hello);
  device(session& session, const tg_Hello& hello);

  void frame(const tg_frame& frame) override;
  void settled(std::uint64_t token, const error* refusal) override;
  void fill(milliseconds now) override;
  std::string_view kind() const override { return "device"; }
  std::string name() const override;
  std::size_t frame_bytes_max() const override { return limits::device_frame_bytes; }
  bool is_behind() const override { return pending_.size() >= limits::publishes_unsettled; }
  std::chrono::seconds silence_max() const override { return silence_max_; }

 private:
  struct pending {
    std::uint32_t sequence;
    bool done;
  };
  void welcome(const tg_Hello& hello);
  void topic(const tg_frame& frame);
  void publish(const tg_frame& frame);
  void batch(const tg_frame& frame);
  std::uint32_t last_taken() const { return pending_.empty() ? settled_through_ : pending_.back().sequence; }
  bool take(std::uint32_t sequence, std::uint32_t alias, std::string_view payload, std::string_view time);
  void reject(std::uint32_t sequence, errc code);
  void account_for(std::uint32_t sequence);
  void done(std::uint32_t sequence);
  core::api::producer_ref producer() const { return {producer_id_, epoch_, false}; }

  session& session_;
  std::string id_;
  std::string producer_id_;
  std::uint32_t epoch_;
  std::uint32_t boot_;
  std::uint32_t next_sequence_ = 1;  // of the next Publish
  std::uint32_t expected_ = 1;       // a higher sequence than this one shows a gap, which is a loss
  std::uint32_t acknowledged_ = 0;   // as last sent to the device
  std::uint32_t settled_through_ = 0;
  bool is_owed_ack_ = false;
  std::chrono::seconds silence_max_;
  std::array<std::string, limits::device_aliases + 1> aliases_;
  std::deque<pending> pending_;  // in the order of sequences
};

}  // namespace tidegate::native
