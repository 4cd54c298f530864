// Declarations and bindings of the native protocol, as core takes them.
#pragma once

#include "broker/core/api/services.hpp"
#include "broker/frontends/native/codec.hpp"

namespace tidegate::native {

// Errors: a text that is not one of the values of its field; a routing key that is not UTF-8.
result<core::api::exchange_request> request_of(const tg_DeclareExchange& declare);
result<core::api::queue_request> request_of(const tg_DeclareQueue& declare);
result<core::api::topic_request> request_of(const tg_DeclareTopic& declare);
result<binding_definition> request_of(const tg_Bind& bind);
// The same for all of a Define; the error names the first definition that is refused.
result<core::api::document> document_of(const define_frame& define);

}  // namespace tidegate::native
