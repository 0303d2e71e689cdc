#include "option_values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum pq_status pq_value_number(const char *name, const char *text, uint64_t low, uint64_t high, uint64_t *out,
                               struct pq_error *err)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || errno || *end || *out < low || *out > high) /* strtoull takes blanks and signs */
        return pq_fail(err, PQ_USER, "--%s %s is no number from %" PRIu64 " to %" PRIu64, name, text, low, high);
    return PQ_OK;
}

enum pq_status pq_value_list(const char *name, const char *text, uint64_t low, uint64_t high,
                             const char *const names[2], struct pq_list *out, struct pq_error *err)
{
    char copy[512];
    if (strlen(text) >= sizeof copy)
        return pq_fail(err, PQ_USER, "--%s: the list is longer than %zu characters", name, sizeof copy - 1);
    strcpy(copy, text);
    out->count = 0;
    for (char *p = copy, *item; (item = strsep(&p, ",")) != NULL;) {
        uint64_t v;
        if (out->count == PQ_LIST)
            return pq_fail(err, PQ_USER, "--%s: more than %d values; split the sweep", name, PQ_LIST);
        if (names) {
            for (v = 0; v < 2 && strcmp(item, names[v]); v++)
                ;
            if (v == 2)
                return pq_fail(err, PQ_USER, "--%s: there is no '%s'; use %s, %s or both", name, item, names[0],
                               names[1]);
        } else {
            enum pq_status s = pq_value_number(name, item, low, high, &v, err);
            if (s != PQ_OK)
                return s;
        }
        for (size_t i = 0; i < out->count; i++)
            if (out->value[i] == v)
                return pq_fail(err, PQ_USER, "--%s: %s stands twice in the list", name, item);
        out->value[out->count++] = v;
    }
    return PQ_OK;
}

enum pq_status pq_value_nets(const char *name, const char *text, struct pq_nets *out, struct pq_error *err)
{
    char copy[512];
    if (strlen(text) >= sizeof copy)
        return pq_fail(err, PQ_USER, "--%s: the list is longer than %zu characters", name, sizeof copy - 1);
    strcpy(copy, text);
    out->count = 0;
    for (char *p = copy, *item; (item = strsep(&p, ",")) != NULL;) {
        struct pq_net net;
        if (out->count == PQ_LIST)
            return pq_fail(err, PQ_USER, "--%s: more than %d values; split the sweep", name, PQ_LIST);
        enum pq_status s = pq_net_parse(item, &net, err);
        if (s != PQ_OK)
            return s;
        for (size_t i = 0; i < out->count; i++)
            if (out->value[i].bits_per_second == net.bits_per_second &&
                out->value[i].round_trip_ns == net.round_trip_ns)
                return pq_fail(err, PQ_USER, "--%s: %s stands twice in the list", name, item);
        out->value[out->count++] = net;
    }
    return PQ_OK;
}

enum pq_status pq_value_choice(const char *name, const char *text, const char *const names[2], int *out,
                               struct pq_error *err)
{
    *out = !strcmp(text, "auto") ? 0 : !strcmp(text, names[0]) ? 1 : !strcmp(text, names[1]) ? 2 : -1;
    return *out >= 0
               ? PQ_OK
               : pq_fail(err, PQ_USER, "--%s: there is no '%s'; use auto, %s or %s", name, text, names[0], names[1]);
}
