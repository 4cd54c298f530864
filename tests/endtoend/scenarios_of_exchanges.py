"""Scenarios of routing: exchanges, bindings, headers, links, alternates."""

from scenarios import scenario

TOPIC_PATTERNS = ["a.b", "a.*", "*.b", "*", "#", "a.#", "#.b", "a.#.b", "*.*", "#.#", "*.#", "#.*", "a.*.b", "", "a..b",
                  ".", "*.", "#.a.#", "a", "**", "##", "a.#.#", "a*.b"]
TOPIC_KEYS = ["", "a", "b", "a.b", "a.c.b", "a.b.c.b", ".", "a.", ".b", "a..b", "b.a", "*", "#", "a.#", "x.a.y", "a*.b",
              "a.*"]


@scenario
def topic_patterns(side, notes):
    for number, pattern in enumerate(TOPIC_PATTERNS):
        side.queue(f"topic{number}", exclusive=True)
        side.bind("amq.topic", f"topic{number}", pattern)
    for key in TOPIC_KEYS:
        notes.see((key, side.publish("amq.topic", key, b"m")))
        notes.see([pattern for number, pattern in enumerate(TOPIC_PATTERNS)
                   if side.get(f"topic{number}", auto_ack=True) is not None])


@scenario
def direct_compares_bytes(side, notes):
    side.queue("direct", exclusive=True)
    side.bind("amq.direct", "direct", "Key")
    for key in "Key", "key", "Key.", "*", "":
        notes.see(side.publish("amq.direct", key, b"m"))
    notes.drain("direct")


@scenario
def fanout_ignores_the_key(side, notes):
    side.queue("fan1", exclusive=True)
    side.queue("fan2", exclusive=True)
    side.bind("amq.fanout", "fan1", "one")
    side.bind("amq.fanout", "fan2")
    notes.see(side.publish("amq.fanout", "another", b"m"))
    notes.drain("fan1")
    notes.drain("fan2")


@scenario
def one_copy_however_many_bindings_match(side, notes):
    side.queue("copies", exclusive=True)
    for key in "#", "a.*", "*.b", "a.b":
        side.bind("amq.topic", "copies", key)
    side.publish("amq.topic", "a.b", b"m")
    notes.drain("copies")


@scenario
def the_default_exchange_routes_by_the_queues_name(side, notes):
    side.queue("named", exclusive=True)
    notes.see(side.publish("", "named", b"m"))
    notes.see(side.publish("", "nobody", b"m"))
    notes.refusal(side.bind, "", "named", "key")
    notes.refusal(side.delete_exchange, "amq.direct")
    notes.drain("named")


HEADER_BINDINGS = [{"x-match": "all", "a": "1", "n": 2}, {"x-match": "any", "a": "1", "n": 2}, {"a": "1"},
                   {"x-match": "all"}, {"x-match": "any"}, {"x-match": "all", "a": None}, {"n": 2}, {"n": "2"},
                   {"x-match": "all", "x-own": "1"}, {"x-match": "all-with-x", "x-own": "1"},
                   {"x-match": "any-with-x", "x-own": "1"}, {"x-match": "any", "x-own": "1"}, {"b": True}]
HEADER_MESSAGES = [{}, {"a": "1"}, {"a": "2"}, {"n": 2}, {"n": "2"}, {"a": "1", "n": 2}, {"x-own": "1"}, {"a": ""},
                   {"b": True}, {"b": False}, {"a": 1}]


@scenario
def headers_match_all_or_any(side, notes):
    for number, arguments in enumerate(HEADER_BINDINGS):
        side.queue(f"headers{number}", exclusive=True)
        side.bind("amq.headers", f"headers{number}", arguments=arguments)
    for headers in HEADER_MESSAGES:
        notes.see((str(headers), side.publish("amq.headers", "", b"m", headers=headers)))
        notes.see([str(arguments) for number, arguments in enumerate(HEADER_BINDINGS)
                   if side.get(f"headers{number}", auto_ack=True) is not None])


@scenario
def a_headers_binding_with_another_word_is_refused(side, notes):
    side.queue("wrongword", exclusive=True)
    notes.refusal(side.bind, "amq.headers", "wrongword", arguments={"x-match": "most"})
    notes.refusal(side.bind, "amq.headers", "wrongword", arguments={"x-match": "all"})


@scenario
def repeated_and_missing_bindings_are_fine(side, notes):
    side.queue("twice", exclusive=True)
    for _ in range(2):
        notes.refusal(side.bind, "amq.direct", "twice", "k2")
    side.publish("amq.direct", "k2", b"m")
    notes.drain("twice")
    for _ in range(2):
        notes.refusal(side.unbind, "amq.direct", "twice", "k2")
    notes.see(side.publish("amq.direct", "k2", b"m"))


@scenario
def bindings_that_differ_in_arguments_are_two(side, notes):
    side.queue("args", exclusive=True)
    side.bind("amq.direct", "args", "k3", {"version": 1})
    side.bind("amq.direct", "args", "k3", {"version": 2})
    side.unbind("amq.direct", "args", "k3", {"version": 1})
    notes.see(side.publish("amq.direct", "k3", b"m"))
    side.unbind("amq.direct", "args", "k3", {"version": 2})
    notes.see(side.publish("amq.direct", "k3", b"m"))


@scenario
def bindings_need_what_they_join(side, notes):
    side.queue("joined", exclusive=True)
    notes.refusal(side.bind, "no-exchange", "joined", "k")
    notes.refusal(side.bind, "amq.direct", "no-queue", "k")
    notes.refusal(side.link, "amq.direct", "no-exchange", "k")
    notes.refusal(side.publish, "no-exchange", "k", b"m")


@scenario
def exchanges_pass_messages_on(side, notes):
    side.exchange("from", "topic")
    side.exchange("to", "fanout")
    side.queue("passed", exclusive=True)
    side.link("from", "to", "a.#")
    side.bind("to", "passed")
    side.bind("from", "passed", "a.b")
    for key in "a.b", "a", "b":
        notes.see(side.publish("from", key, b"m"))
    notes.drain("passed")
    side.unlink("from", "to", "a.#")
    notes.see(side.publish("from", "a", b"m"))
    side.delete_exchange("from")
    side.delete_exchange("to")


@scenario
def a_circle_of_exchanges_ends(side, notes):
    side.exchange("round1", "fanout")
    side.exchange("round2", "fanout")
    side.queue("round", exclusive=True)
    side.link("round1", "round2")
    side.link("round2", "round1")
    side.link("round2", "round2")
    notes.see(side.publish("round1", "", b"m"))
    side.bind("round2", "round")
    notes.see(side.publish("round1", "", b"m"))
    notes.drain("round")
    side.delete_exchange("round1")
    side.delete_exchange("round2")


@scenario
def an_alternate_gets_what_nothing_matches(side, notes):
    side.exchange("main", "direct", alternate="spare")
    notes.see(side.publish("main", "k", b"early"))
    side.exchange("spare", "fanout")
    side.queue("spares", exclusive=True)
    side.bind("spare", "spares")
    side.queue("mains", exclusive=True)
    side.bind("main", "mains", "k")
    for key in "k", "other":
        notes.see(side.publish("main", key, key.encode()))
    notes.drain("spares")
    notes.drain("mains")
    side.delete_exchange("main")
    side.delete_exchange("spare")


@scenario
def alternates_form_chains_and_circles(side, notes):
    side.exchange("alt1", "direct", alternate="alt2")
    side.exchange("alt2", "direct", alternate="alt3")
    side.exchange("alt3", "direct", alternate="alt1")
    notes.see(side.publish("alt1", "k", b"m"))
    side.queue("alts", exclusive=True)
    side.bind("alt3", "alts", "k")
    notes.see(side.publish("alt1", "k", b"m"))
    notes.see(side.publish("alt2", "k", b"m"))
    notes.drain("alts")
    for number in 1, 2, 3:
        side.delete_exchange(f"alt{number}")


@scenario
def a_matching_link_to_nowhere_keeps_the_alternate_out(side, notes):
    side.exchange("linked", "fanout", alternate="unused")
    side.exchange("unused", "fanout")
    side.exchange("nowhere", "fanout")
    side.queue("unuseds", exclusive=True)
    side.bind("unused", "unuseds")
    notes.see(side.publish("linked", "", b"1"))
    side.link("linked", "nowhere")
    notes.see(side.publish("linked", "", b"2"))
    notes.drain("unuseds")
    for name in "linked", "unused", "nowhere":
        side.delete_exchange(name)


@scenario
def an_internal_exchange_takes_no_publish(side, notes):
    side.exchange("inside", "fanout", internal=True)
    side.queue("insides", exclusive=True)
    side.bind("inside", "insides")
    notes.refusal(side.publish, "inside", "", b"m")
    side.exchange("outside", "fanout")
    side.link("outside", "inside")
    notes.see(side.publish("outside", "", b"m"))
    side.delete_exchange("outside")
    side.delete_exchange("inside")


@scenario
def an_auto_delete_exchange_ends_with_its_last_binding(side, notes):
    side.exchange("auto", "direct", auto_delete=True)
    side.queue("autos", exclusive=True)
    side.bind("auto", "autos", "a")
    side.bind("auto", "autos", "b")
    side.unbind("auto", "autos", "a")
    notes.refusal(side.exchange, "auto", "direct", passive=True)
    side.unbind("auto", "autos", "b")
    notes.refusal(side.exchange, "auto", "direct", passive=True)


@scenario
def auto_delete_exchanges_end_in_a_chain(side, notes):
    for number in 1, 2, 3:
        side.exchange(f"chain{number}", "fanout", auto_delete=True)
    side.link("chain1", "chain2")
    side.link("chain2", "chain3")
    side.queue("chained", exclusive=True)
    side.bind("chain3", "chained")
    side.delete_queue("chained")
    for number in 1, 2, 3:
        notes.refusal(side.exchange, f"chain{number}", "fanout", passive=True)


@scenario
def an_exchange_with_bindings_is_in_use(side, notes):
    side.exchange("used", "direct")
    side.queue("useds", exclusive=True)
    side.bind("used", "useds", "k")
    notes.refusal(side.delete_exchange, "used", if_unused=True)
    side.unbind("used", "useds", "k")
    notes.refusal(side.delete_exchange, "used", if_unused=True)
    notes.refusal(side.delete_exchange, "used")
