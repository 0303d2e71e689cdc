/* What is a network and what is none, and how long a link is busy. */
#include "../net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pq_net right(const char *text)
{
    struct pq_net net;
    struct pq_error err = { "" };
    if (pq_net_parse(text, &net, &err) != PQ_OK)
        fail_msg("%s", err.text);
    assert_string_equal(net.name, text);
    return net;
}

static void understands(void **state)
{
    static const struct { const char *text; uint64_t rate, time; } cases[] = {
        { "none", 0, 0 }, { "lan", 5000000000, 400000 }, { "wan", 400000000, 40000000 },
        { "5Gbit:0.4ms", 5000000000, 400000 }, { "400Mbit:40ms", 400000000, 40000000 },
        { "1Gbit:2ms", 1000000000, 2000000 }, { "0.25Gbit:1500us", 250000000, 1500000 },
        { "64kbit:0.5s", 64000, 500000000 }, { "1kbit:10s", 1000, 10000000000 }, { "1000Gbit:0us", 1000000000000, 0 },
        { ".5Mbit:.5us", 500000, 500 }, { "33.3Mbit:33.3ms", 33300000, 33300000 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct pq_net net = right(cases[i].text);
        assert_int_equal(net.bits_per_second, cases[i].rate);
        assert_int_equal(net.round_trip_ns, cases[i].time);
        assert_int_equal(pq_net_emulates(&net), cases[i].rate != 0);
    }
}

static void refuses(void **state)
{
    static const char *const cases[] = {
        "", "LAN", "lan ", "ethernet", "1Gbit", "1Gbit:", ":2ms", "1Gbit:2", "1:2ms", "1Gbit2ms", "1Gbit:2ms:3ms",
        "1GBit:2ms", "1Gbit/s:2ms", "1Gbit:2min", "1Gb:2ms", "1 Gbit:2ms", " 1Gbit:2ms", "1Gbit: 2ms", "-1Gbit:2ms",
        "1Gbit:-2ms", "+1Gbit:2ms", "1e3Mbit:2ms", "0x1Gbit:2ms", "infGbit:2ms", "nanGbit:2ms", "1Gbit:nanms",
        ".Gbit:2ms", "1..5Gbit:2ms", "0Gbit:2ms", "0.9kbit:2ms", "1001Gbit:2ms", "1Gbit:10.1s", "1,5Gbit:2ms",
        "99999999999999999999999999999999Gbit:2ms", "1Gbit:0000000000000000000000000000000000000000000000002ms",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pq_net net;
        struct pq_error err = { "" };
        if (pq_net_parse(cases[i], &net, &err) != PQ_USER)
            fail_msg("'%s' is taken for a network", cases[i]);
        assert_non_null(strstr(err.text, "RATE:RTT"));
        assert_null(strchr(err.text, '\n'));
    }
}

static void links_are_busy(void **state)
{
    const struct pq_net none = right("none"), lan = right("lan"), slow = right("1kbit:1s");
    (void)state;
    assert_int_equal(pq_net_busy_ns(&none, UINT64_C(1) << 40), 0);
    assert_int_equal(pq_net_busy_ns(&lan, 0), 0);
    assert_int_equal(pq_net_busy_ns(&lan, 625000000), 1000000000);
    assert_int_equal(pq_net_busy_ns(&slow, UINT64_C(125) << 30), UINT64_C(1000000000) << 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands), cmocka_unit_test(refuses), cmocka_unit_test(links_are_busy)
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
