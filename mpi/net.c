#include "net.h"

#include <stdio.h>
#include <string.h>

struct unit { const char *name; double factor; };

static const struct unit rates[] = { { "kbit", 1e3 }, { "Mbit", 1e6 }, { "Gbit", 1e9 }, { NULL, 0 } };
static const struct unit times[] = { { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { NULL, 0 } };

/* Digits, perhaps a point and digits, then one of the units: nothing before, between or behind. (strtod would take
 * infinities, signs and hexadecimals.) False: not that. */
static bool quantity(const char *text, const struct unit *units, double *out)
{
    double value = 0, place = 1;
    const char *p = text;
    size_t digits = 0;
    for (; *p >= '0' && *p <= '9'; p++, digits++)
        value = 10 * value + (*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, digits++)
            value += (place /= 10) * (*p - '0');
    for (const struct unit *u = units; digits && u->name; u++)
        if (!strcmp(p, u->name)) {
            *out = value * u->factor;
            return true;
        }
    return false;
}

static bool rate_and_time(const char *text, struct pq_net *net)
{
    static const double fastest = 1e12, longest = 10e9;
    char copy[PQ_NET_NAME];
    double rate, time;
    snprintf(copy, sizeof copy, "%s", text);
    char *colon = strchr(copy, ':');
    if (!colon)
        return false;
    *colon = 0;
    if (!quantity(copy, rates, &rate) || !quantity(colon + 1, times, &time) || rate < 1e3 || rate > fastest ||
        time > longest)
        return false;
    net->bits_per_second = (uint64_t)(rate + 0.5);
    net->round_trip_ns = (uint64_t)(time + 0.5);
    return true;
}

enum pq_status pq_net_parse(const char *text, struct pq_net *net, struct pq_error *err)
{
    static const struct pq_net known[] = {
        { "none", 0, 0 }, { "lan", 5000000000, 400000 }, { "wan", 400000000, 40000000 }
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(text, known[i].name)) {
            *net = known[i];
            return PQ_OK;
        }
    *net = (struct pq_net){ 0 };
    if (strlen(text) >= PQ_NET_NAME || !rate_and_time(text, net))
        return pq_fail(err, PQ_USER,
                       "--net: '%.60s' is no network; use none, lan, wan or RATE:RTT as in 1Gbit:2ms (kbit, Mbit, "
                       "Gbit a second, from 1kbit to 1000Gbit; us, ms, s, to 10s)", text);
    strcpy(net->name, text);
    return PQ_OK;
}

uint64_t pq_net_busy_ns(const struct pq_net *net, uint64_t bytes)
{
    return pq_net_emulates(net) ? (uint64_t)(8e9 * (double)bytes / (double)net->bits_per_second + 0.5) : 0;
}
