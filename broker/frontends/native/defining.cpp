// The application's requests about definitions.
#include <fmt/format.h>

#include "broker/frontends/native/application.hpp"
#include "broker/frontends/native/definition_requests.hpp"
#include "broker/frontends/native/front_end.hpp"

namespace tidegate::native {
namespace {

error does_not_decode(std::string_view what) { return {errc::invalid, fmt::format("{} does not decode", what)}; }

core::api::sameness sameness_of(bool is_exact) {
  return is_exact ? core::api::sameness::exact : core::api::sameness::lenient;
}

}  // namespace

void application::declare_exchange(const tg_frame& frame) {
  tg_DeclareExchange declare{};
  if (!tg_frame_decode(&frame, tg_DeclareExchange_fields, &declare))
    return session_.fail(does_not_decode("DeclareExchange"));
  const std::string_view name = view_of(declare.name);
  if (declare.passive) {
    if (core_.inspecting.routes().find_definition(name) != nullptr) return answer_done({declare.correlation});
    return session_.refuse(declare.correlation, {errc::not_found, fmt::format("no exchange '{}'", name), "name"});
  }
  const auto wanted = request_of(declare);
  if (!wanted) return session_.refuse(declare.correlation, wanted.error());
  const auto receipt = receipt_for({declare.correlation});
  conclude(receipt, declare.correlation, core_.defining.declare_exchange(*wanted, receipt, sameness_of(declare.exact)));
}

void application::declare_queue(const tg_frame& frame) {
  tg_DeclareQueue declare{};
  if (!tg_frame_decode(&frame, tg_DeclareQueue_fields, &declare)) return session_.fail(does_not_decode("DeclareQueue"));
  const std::string_view name = view_of(declare.name);
  if (core_.inspecting.is_for_replies(name)) {
    waiting_request done{declare.correlation};
    done.name = name;
    done.consumers = 1;
    return answer_done(done);
  }
  const auto* const known = core_.inspecting.find_queue(name);
  if (declare.passive) {
    if (known != nullptr) {
      const auto checked = core_.defining.check_owner(*known, session_.id());
      if (!checked) return session_.refuse(declare.correlation, checked.error());
      return answer_done(declared(declare.correlation, *known));
    }
    return session_.refuse(declare.correlation, {errc::not_found, fmt::format("no queue '{}'", name), "name"});
  }
  const auto wanted = request_of(declare);
  if (!wanted) return session_.refuse(declare.correlation, wanted.error());
  const auto receipt = receipt_for({declare.correlation});
  const auto queue = core_.defining.declare_queue(*wanted, receipt, sameness_of(declare.exact));
  if (queue) requests_[receipt.token] = declared(declare.correlation, **queue);
  conclude(receipt, declare.correlation, queue ? result<void>() : queue.error());
}

application::waiting_request application::declared(std::uint32_t correlation, const core::queues::queue& queue) {
  waiting_request done{correlation, TG_DONE, queue.ready()};
  done.name = queue.name();
  done.consumers = static_cast<std::uint32_t>(queue.consumers().size());
  return done;
}

void application::declare_topic(const tg_frame& frame) {
  tg_DeclareTopic declare{};
  if (!tg_frame_decode(&frame, tg_DeclareTopic_fields, &declare)) return session_.fail(does_not_decode("DeclareTopic"));
  const std::string_view name = view_of(declare.name);
  const auto* const known = core_.inspecting.find_topic(name);
  const auto partitions =
      known == nullptr ? std::max(1u, declare.partitions) : static_cast<std::uint32_t>(known->partitions().size());
  if (declare.passive) {
    if (known != nullptr) {
      return answer_done({declare.correlation, TG_DONE, 0, partitions, known->definition().uuid});
    }
    return session_.refuse(declare.correlation, {errc::not_found, fmt::format("no topic '{}'", name), "name"});
  }
  const auto wanted = request_of(declare);
  if (!wanted) return session_.refuse(declare.correlation, wanted.error());
  const auto receipt = receipt_for({declare.correlation, TG_DONE, 0, partitions});
  const auto declared = core_.defining.declare_topic(*wanted, receipt);
  if (declared) {
    const auto& topic = *core_.inspecting.find_topic(name);
    waiting_request& done = requests_[receipt.token];
    done.topic_id = topic.definition().uuid;
    for (const std::string& group : core_.inspecting.unmatched_protect(topic)) {
      done.notice.append(
          fmt::format("{}topic '{}' protects '{}', and no group '{}' or '{}/...' has committed an offset yet",
                      done.notice.empty() ? "" : "; ", name, group, group, group));
    }
  }
  conclude(receipt, declare.correlation, declared);
}

void application::define(const tg_frame& frame) {
  define_frame define;
  if (!decode(frame, define)) return session_.fail(does_not_decode("Define"));
  if (define.size() > limits::document_items) {
    return session_.refuse(define.correlation, {errc::limit, fmt::format("{} definitions in one document are the limit",
                                                                         limits::document_items)});
  }
  const auto document = document_of(define);
  if (!document) return session_.refuse(define.correlation, document.error());
  if (define.only_check) {
    const auto made = core_.defining.check_all(*document);
    if (!made) return session_.refuse(define.correlation, made.error());
    return answer_done({define.correlation, TG_DONE, *made});
  }
  const auto receipt = receipt_for({define.correlation});
  const auto made = core_.defining.declare_all(*document, receipt);
  if (made) requests_[receipt.token].number = *made;
  conclude(receipt, define.correlation, made ? result<void>() : made.error());
}

void application::bind(const tg_frame& frame) {
  tg_Bind bind{};
  if (!tg_frame_decode(&frame, tg_Bind_fields, &bind)) return session_.fail(does_not_decode("Bind"));
  const auto binding = request_of(bind);
  if (!binding) return session_.refuse(bind.correlation, binding.error());
  const auto receipt = receipt_for({bind.correlation});
  conclude(receipt, bind.correlation, core_.defining.bind(*binding, receipt));
}

void application::unbind(const tg_frame& frame) {
  tg_Bind bind{};
  if (!tg_frame_decode(&frame, tg_Bind_fields, &bind)) return session_.fail(does_not_decode("Unbind"));
  const auto binding = request_of(bind);
  if (!binding) return session_.refuse(bind.correlation, binding.error());
  const auto receipt = receipt_for({bind.correlation});
  conclude(receipt, bind.correlation, core_.defining.unbind(*binding, receipt));
}

void application::remove(const tg_frame& frame) {
  tg_Delete remove{};
  if (!tg_frame_decode(&frame, tg_Delete_fields, &remove)) return session_.fail(does_not_decode("Delete"));
  const std::string_view kind = view_of(remove.kind), name = view_of(remove.name);
  const bool is_devices = name == session_.settings().device_exchange && !core::routing::exchanges::is_built_in(name);
  if (kind == "exchange" && is_devices) {
    return session_.refuse(
        remove.correlation,
        {errc::precondition, fmt::format("devices publish to exchange '{}' (native.device_exchange)", name), "name"});
  }
  const auto receipt = receipt_for({remove.correlation});
  if (kind == "exchange")
    return conclude(receipt, remove.correlation, core_.defining.remove_exchange(name, receipt, remove.if_unused));
  if (kind == "queue") {
    const auto removed = core_.defining.remove_queue(name, receipt, {remove.if_unused, remove.if_empty});
    if (removed) requests_[receipt.token].number = *removed;
    return conclude(receipt, remove.correlation, removed ? result<void>() : removed.error());
  }
  if (kind == "topic") return conclude(receipt, remove.correlation, core_.defining.remove_topic(name, receipt));
  conclude(receipt, remove.correlation,
           error{errc::invalid, fmt::format("'{}' is not exchange, queue or topic", kind), "kind"});
}

}  // namespace tidegate::native
